-- An act, or a look, for somebody whom the operator port has let in. The two objects have no name in common.
-- $1 method, $2 path as sent, $3 parameters of the query, $4 members of the body (JSON objects), $5 name of the token,
-- $6 its scope
-- -> status, body, allow, retry_after_s
-- Callers: operatord/acts.c
SELECT (h.answer ->> 'status')::integer AS status, (h.answer -> 'body')::text AS body,
       h.answer -> 'headers' ->> 'Allow' AS allow, (h.answer -> 'headers' ->> 'Retry-After')::integer AS retry_after_s
FROM (SELECT orch.http_act($1, $2, $3::jsonb || $4::jsonb, $5, $6) AS answer) h
