-- What is wrong with the installation as far as the database knows, and what is to be asked about outside.
-- No parameters
-- -> jsonb {server, database, findings: [{check_name, level, subject, says, mend}], endpoints: [{name, config}], projects: [{name,
-- forge, location, default_branch, tracker, tracker_config, tracker_hook, forge_endpoint, forge_config, forge_hook}]}, one row
-- Callers: ctl/doctor_database.c
SELECT orch.doctor()
