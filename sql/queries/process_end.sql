-- A clean leave: what the process still holds goes back at once.
-- $1 process, $2 epoch
-- Callers: common/process_row.c
SELECT orch.process_end($1::bigint, $2::bigint)
