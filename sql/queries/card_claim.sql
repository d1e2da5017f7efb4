-- I-5: claims cards that are to be sent or edited.
-- $1 process, $2 epoch, $3 limit
-- -> task_id, token, work_item, message (0: the first), html, endpoint
-- Callers: workerd/cards.c
SELECT task_id, token, work_item, message, html, endpoint
FROM orch.card_claim($1::bigint, $2::bigint, $3::int)
