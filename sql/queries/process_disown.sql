-- Gives back claims that a beat has named and that this process does not know: the answer to them was lost.
-- $1 process, $2 epoch, $3 jobs, $4 effects (arrays of claims as text, as a beat names them: {ID-EPOCH-TOKEN,...})
-- -> released: how many claims were given back
-- Callers: workerd/worker.c
SELECT orch.process_disown($1::bigint, $2::bigint, $3::text[], $4::text[]) AS released
