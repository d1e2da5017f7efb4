-- Whether a database and a program fit: the program may be as old as `oldest`, and as new as `version`.
-- No parameters
-- -> version (the newest migration that was applied), oldest
-- Callers: common/process_row.c
SELECT orch.schema_version() AS version, orch.schema_oldest() AS oldest
