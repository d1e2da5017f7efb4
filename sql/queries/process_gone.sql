-- A process is proved dead: jobs whose shim may live become orphans, all else that it held goes back.
-- $1 process, $2 evidence, $3 whether its host is dead or was booted since (then everything goes back)
-- -> jobs: how many were orphaned, given back or cancelled
-- Callers: reaperd/sweep.c
SELECT orch.process_gone($1::bigint, $2::text, $3::boolean) AS jobs
