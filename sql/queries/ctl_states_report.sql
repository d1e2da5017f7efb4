-- I-2: which states a board has for us, which it lacks, and what that disables.
-- $1 its states: [{id, name, group}]
-- -> jsonb {found: text, missing: [{label, group, wrong, disables}], colliding: [{label, names}]}, one row
-- Callers: ctl/checkup_tracker.c
SELECT orch.states_report($1::jsonb)
