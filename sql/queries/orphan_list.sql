-- The orphans of all hosts, and whether any worker of their host could adopt them.
-- $1 limit
-- -> job_id, epoch, host, boot_id, stranded
-- Callers: reaperd/sweep_orphans.c
SELECT job_id, epoch, host, boot_id, stranded
FROM orch.orphan_list($1::int)
