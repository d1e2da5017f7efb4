-- I-7: says how the forge of a running job has answered, while the job goes on asking.
-- $1 job, $2 epoch, $3 token of the claim, $4 outcome in the words of the ports, $5 reason, $6 seconds to wait or null
-- -> away: whether it was the forge's trouble
-- Callers: workerd/job_forge.c
SELECT orch.forge_note($1::bigint, $2::bigint, $3::uuid, $4, $5, $6::int) AS away
