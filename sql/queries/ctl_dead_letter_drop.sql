-- Puts a dead letter away.
-- $1 its name, $2 reason (may be null)
-- -> jsonb {letter, message}
-- Callers: ctl/cmd_dead_letter.c
SELECT orch.dead_letter_drop($1::text, $2::text)
