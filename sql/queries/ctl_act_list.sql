-- Everything that can be done: functions, commands and routes.
-- No parameters
-- -> jsonb {acts: [{key, method, path, scope, about, command, parameters}]}, one row
-- Callers: ctl/cmd_act.c
SELECT orch.act_list()
