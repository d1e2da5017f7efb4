-- I-5: stores what came of sending a card. The same (task, token) again answers as the first time.
-- $1 task, $2 token, $3 outcome in the words of the ports, $4 message, $5 detail, $6 seconds until the endpoint may be asked again
-- -> answer: recorded | fenced
-- Callers: workerd/cards.c
SELECT orch.card_finish($1::bigint, $2::uuid, $3::text, $4::bigint, $5::text, $6::int) AS answer
