-- A process is dead: jobs whose shim may live become orphans, all else that it held goes back.
-- $1 process, $2 evidence, $3 whether its host is dead or was booted since (then everything goes back),
-- $4 the beat_count at which it was silent, or null when it was proved dead
-- -> jobs: how many were orphaned, given back or cancelled; null when it lives or had ended already
-- Callers: reaperd/sweep_processes.c
SELECT orch.process_gone($1::bigint, $2::text, $3::boolean, $4::bigint) AS jobs
