-- 0033_effect_endpoint: an effect knows whom it goes to, so that a claim passes over all that wait for a service at once (I-7).
set local role orch_owner;

alter table orch.effect add column endpoint_id bigint references orch.endpoint on delete set null;
comment on column orch.effect.endpoint_id is 'I-1: the service outside that it goes to, or went to; null: ours. Changes with the connections of its project while it waits.';
update orch.effect f set endpoint_id = case f.port when 'tracker' then p.tracker_endpoint when 'forge' then p.forge_endpoint else p.notifier_endpoint end
from orch.project p where p.id = f.project_id and f.status in ('pending', 'running');
update orch.effect f set endpoint_id = e.id from orch.endpoint e where e.alerts and f.port = 'notifier' and f.endpoint_id is null and f.status in ('pending', 'running');
create index effect_waiting on orch.effect (coalesce(endpoint_id, 0), id) where status = 'pending';
comment on index orch.effect_waiting is 'What waits for each service outside, the oldest first; 0: ours';
