-- 0032_hook_url: where each service outside sends its webhooks (I-3), so that it can be looked at whether it does.
set local role orch_owner;

alter table orch.endpoint add column hook_url text check (hook_url ~ '^https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*)?/webhook/(plane|gitea)$');
comment on column orch.endpoint.hook_url is 'Plane, Gitea: the address of ours that its webhooks go to, as it sees us; null: not known, so nobody looks whether they do';
alter table orch.endpoint add constraint hook_is_of_its_kind check (hook_url like '%/webhook/' || kind);
