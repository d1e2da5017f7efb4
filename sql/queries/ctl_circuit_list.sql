-- The providers of agents, and whether they can be asked.
-- No parameters
-- -> jsonb {providers: [{provider, state, open_until, reason, changed_at}]}, one row
-- Callers: ctl/cmd_limit.c
SELECT orch.circuit_list()
