-- Effects and events that were given up.
-- $1 how many (may be null)
-- -> jsonb {count, dead_letters: [{letter, what, id, kind, object, detail, attempts, ended_at}]}, one row
-- Callers: ctl/cmd_dead_letter.c
SELECT orch.dead_letter_list($1::int)
