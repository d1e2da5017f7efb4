-- 0015_once: a request that is repeated because its answer was lost makes no second work item (O-2), and a dead letter that nobody
-- will try again can be put away.
set local role orch_owner;

alter table orch.local_item add column request_key text check (length(request_key) between 1 and 200);
comment on column orch.local_item.request_key is 'O-2: what its maker called the request: repeated, it finds this item';
create unique index local_item_request on orch.local_item (project_id, request_key) where request_key is not null;

alter table orch.effect add column dropped_at timestamptz;
alter table orch.event add column dropped_at timestamptz;
comment on column orch.effect.dropped_at is 'A dead letter that somebody has put away: no list and no count has it any more';
comment on column orch.event.dropped_at is 'A dead letter that somebody has put away: no list and no count has it any more';
create index effect_dead on orch.effect (ended_at) where status = 'dead' and dropped_at is null;
create index event_dead on orch.event (ended_at) where status in ('dead', 'malformed') and dropped_at is null;
