-- What would start next if these acts were done; nothing of it stays.
-- $1 jsonb: [{act, arguments...}]
-- $2 how many starts
-- -> jsonb {changes, starts, as_is, only_now, only_then}, one row
-- Callers: ctl/cmd_whatif.c
SELECT orch.whatif($1::jsonb, $2::integer)
