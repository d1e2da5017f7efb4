-- Takes a price away.
-- $1 model, $2 day
-- -> jsonb {prices, message}
-- Callers: ctl/cmd_price.c
SELECT orch.price_remove($1::text, $2::text)
