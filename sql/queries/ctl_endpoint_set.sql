-- Registers a service outside, or changes it.
-- $1 name, $2 kind, $3 url, $4 token file, $5 workspace, $6 chat, $7 thread, $8 requests a minute, $9 takes alerts, $10 segment, $11 where its webhooks go, $12 who we
-- are there; null: as it is
-- -> jsonb: the endpoint
-- Callers: ctl/cmd_endpoint.c
SELECT orch.endpoint_set($1::text, $2::text, $3::text, $4::text, $5::text, $6::bigint, $7::bigint, $8::int, $9::boolean, $10::text, $11::text,
        $12::text)
