-- 0041_endpoint_try: whether somebody tries, by one question, a service outside that was away (I-7).
set local role orch_owner;

alter table orch.endpoint add column trying_at timestamptz;
comment on column orch.endpoint.trying_at is 'Not ok: since when one question tries it; the failures of others, sent before that was known, say nothing new';
