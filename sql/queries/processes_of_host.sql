-- The processes of one host that have not ended, as far as the database knows.
-- $1 host
-- -> process_id, boot_id, daemon, pid, pid_start
-- Callers: reaperd/sweep.c
SELECT process_id, boot_id, daemon, pid, pid_start
FROM orch.processes_of_host($1::text)
