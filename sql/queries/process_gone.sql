-- A process is proved dead: its claims are void and its jobs go back.
-- $1 process, $2 evidence
-- -> jobs: how many were given back or cancelled
-- Callers: reaperd/sweep.c
SELECT orch.process_gone($1::bigint, $2::text) AS jobs
