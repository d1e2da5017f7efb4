-- I-2: which states a board has for us, which it lacks, and what that disables.
-- $1 its states: [{id, name, group}]
-- -> jsonb {found: text, missing: [{key, label, group, wrong, disables}]}, one row
-- Callers: ctl/checkup_tracker.c
SELECT orch.states_report($1::jsonb)
