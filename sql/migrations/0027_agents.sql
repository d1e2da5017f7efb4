-- 0027_agents: sessions of agents, what their runs used, and what models cost (J-2, J-7).
set local role orch_owner;

alter table orch.run add column session_id uuid;
alter table orch.run add column resumes uuid;
alter table orch.run add column session_retired text;
alter table orch.run add column model text;
alter table orch.run add column agent_version text;
alter table orch.run add column cost_source text check (cost_source in ('agent', 'prices', 'dearest'));
comment on column orch.run.session_id is 'J-2: session of the agent, chosen by us and noted before it was started; null: its kind has none';
comment on column orch.run.resumes is 'J-2: session of an earlier run of the job that it goes on from';
comment on column orch.run.session_retired is 'Why no run may go on from its session; null: one may';
comment on column orch.run.model is 'J-7: model that the agent began with';
comment on column orch.run.agent_version is 'J-7: version of the agent''s program';
comment on column orch.run.cost_source is 'J-7: who says what it cost: the agent; our prices, by the tokens; or the dearest of our prices, for a model that is not among them';
comment on column orch.run.usage is 'J-7: tokens by model, and turns; of a run that goes on: so far';
comment on column orch.run.cost_usd is 'J-7: cost in dollars; of a run that goes on: so far';

create table orch.model_price (
        model text not null check (model <> ''),
        since date not null,
        input numeric not null check (input >= 0),
        output numeric not null check (output >= 0),
        cache_read numeric not null check (cache_read >= 0),
        cache_write numeric not null check (cache_write >= 0),
        primary key (model, since)
);
comment on table orch.model_price is 'J-7: what tokens cost, in dollars per million, from a day on. The longest beginning of a model''s name counts.';
comment on column orch.model_price.model is 'How the names of the models begin';
comment on column orch.model_price.since is 'From this day on (UTC)';
comment on column orch.model_price.input is 'Tokens that were sent';
comment on column orch.model_price.output is 'Tokens that were answered';
comment on column orch.model_price.cache_read is 'Tokens that the provider remembered';
comment on column orch.model_price.cache_write is 'Tokens that the provider was told to remember';
insert into orch.model_price (model, since, input, output, cache_read, cache_write) values
        ('claude-opus-4', '2025-01-01', 15, 75, 1.5, 18.75),
        ('claude-opus-4-5', '2025-01-01', 5, 25, 0.5, 6.25),
        ('claude-opus-4-6', '2025-01-01', 5, 25, 0.5, 6.25),
        ('claude-opus-4-7', '2025-01-01', 5, 25, 0.5, 6.25),
        ('claude-opus-4-8', '2025-01-01', 5, 25, 0.5, 6.25),
        ('claude-sonnet-4', '2025-01-01', 3, 15, 0.3, 3.75),
        ('claude-haiku-4', '2025-01-01', 1, 5, 0.1, 1.25),
        ('claude-3-5-haiku', '2025-01-01', 0.8, 4, 0.08, 1);
