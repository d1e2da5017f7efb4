-- Says what a process knows to hold, after the answer to a claim was lost; what else it holds is given back, or left to be adopted.
-- $1 process, $2 epoch, $3 jobs, $4 effects (arrays of ids as text: {1,2})
-- -> released: how many claims were given back
-- Callers: workerd/worker.c
SELECT orch.process_holds($1::bigint, $2::bigint, $3::bigint[], $4::bigint[]) AS released
