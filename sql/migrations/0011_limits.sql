-- 0011_limits: what people may set of the capacity (S-7), and the circuits of providers (J-4).
set local role orch_owner;

create table orch.capacity_limit (
        id bigint generated always as identity primary key,
        scope text not null check (scope in ('global', 'repo', 'role', 'host')),
        name text not null default '',
        slots integer not null check (slots between 0 and 10000),
        changed_at timestamptz not null default clock_timestamp(),
        changed_by text not null,
        unique (scope, name),
        constraint only_global_has_no_name check ((scope = 'global') = (name = ''))
);
comment on table orch.capacity_limit is 'S-7: how many jobs may run at once: in all, of a repo, of a role, on a host; where there is no row there is no limit. Change it with orch.limit_set() and orch.limit_remove()';
comment on column orch.capacity_limit.id is 'Identity';
comment on column orch.capacity_limit.scope is 'global, repo, role or host';
comment on column orch.capacity_limit.name is 'Name of the repo, role or host; empty for global';
comment on column orch.capacity_limit.slots is 'How many; 0: none starts';
comment on column orch.capacity_limit.changed_at is 'When it was last set';
comment on column orch.capacity_limit.changed_by is 'Who set it';

create table orch.provider_circuit (
        provider text primary key check (provider ~ '^[A-Za-z0-9._-]{1,64}$'),
        state text not null default 'closed' check (state in ('closed', 'open', 'half-open')),
        open_until timestamptz,
        reason text,
        changed_at timestamptz not null default clock_timestamp(),
        constraint open_has_its_reason check (state = 'closed' or (open_until is not null and reason is not null))
) with (fillfactor = 50);
comment on table orch.provider_circuit is 'J-4: whether the provider of agents can be asked: closed, it can; open, its jobs wait until open_until; half-open, one job tries';
comment on column orch.provider_circuit.provider is 'Name of the provider';
comment on column orch.provider_circuit.state is 'closed, open or half-open';
comment on column orch.provider_circuit.open_until is 'Until when its jobs wait';
comment on column orch.provider_circuit.reason is 'What it said';
comment on column orch.provider_circuit.changed_at is 'When the state last changed';
