-- The orphans of all hosts, and whether any worker of their host could adopt them.
-- $1 limit
-- -> job_id, epoch, host, boot_id, stranded, since_us (tells one orphanhood of a claim from its next)
-- Callers: reaperd/sweep_orphans.c
SELECT job_id, epoch, host, boot_id, stranded, since_us
FROM orch.orphan_list($1::int)
