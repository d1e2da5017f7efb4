-- All projects.
-- No parameters
-- -> jsonb, one row
-- Callers: ctl/cmd_project.c
SELECT orch.project_list()
