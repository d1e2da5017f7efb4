-- Records how a try of an effect ended. The same (effect, epoch, token) again answers as the first time.
-- $1 effect, $2 epoch, $3 token, $4 outcome (done | retry | dead), $5 detail, $6 seconds until the next try, $7 outcome in the words of the ports, $8 what was answered
-- -> answer: recorded | fenced
-- Callers: workerd/effects.c
SELECT orch.effect_finish($1::bigint, $2::bigint, $3::uuid, $4::text, $5::text, $6::int, $7::text, $8::text) AS answer
