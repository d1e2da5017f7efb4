-- Hands over the answer to a look, or why there is none.
-- $1 project, $2 kind, $3 object, $4 token, $5 outcome in the words of the ports, $6 answer, $7 seconds until the next try, $8 why it is not ok
-- -> answer: what was done, or fenced
-- Callers: workerd/looks.c
SELECT orch.look_finish($1::bigint, $2::text, $3::text, $4::uuid, $5::text, $6::text, $7::int, $8::text) AS answer
