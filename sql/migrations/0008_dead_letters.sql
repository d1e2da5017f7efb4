-- 0008_dead_letters: an outage of a peer of less than two days makes no dead letters any more.
set local role orch_owner;

-- with waits of up to five minutes, and jitter, 1000 tries are about two and a half days
update orch.setting_row set value = case value when standard then '1000' else value end, standard = '1000',
        about = 'Tries of an effect before it is a dead letter; with the wait at its most, 1000 are about two and a half days'
where key = 'effect_max_attempts';
comment on column orch.event.attempts is 'Failed tries to route or to handle it';
