-- Says what tokens of a model cost from a day on.
-- $1 model, $2 input, $3 output, $4 cache read, $5 cache write, $6 day (null: today)
-- -> jsonb {prices, message}
-- Callers: ctl/cmd_price.c
SELECT orch.price_set($1::text, $2::text, $3::text, $4::text, $5::text, $6::text)
