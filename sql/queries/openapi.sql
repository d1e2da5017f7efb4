-- The OpenAPI document of the operator port, as JSON text ready to be sent.
-- -> body
-- Callers: web/status.c
SELECT orch.openapi()::text AS body
