-- Tries a dead letter again.
-- $1 its name
-- -> jsonb {letter, message}
-- Callers: ctl/cmd_dead_letter.c
SELECT orch.dead_letter_retry($1::text)
