-- The processes of all hosts that are believed alive and how often each has beaten, the most silent first.
-- $1 limit
-- -> process_id, host, boot_id, daemon, pid, pid_start, beat_count
-- Callers: reaperd/sweep_processes.c
SELECT process_id, host, boot_id, daemon, pid, pid_start, beat_count
FROM orch.process_beats($1::int)
