-- What tokens cost.
-- No parameters
-- -> jsonb {prices: [{model, since, input, output, cache_read, cache_write}]}, one row
-- Callers: ctl/cmd_price.c
SELECT orch.price_list()
