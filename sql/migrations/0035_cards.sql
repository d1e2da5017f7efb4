-- 0035_cards: one live message for each task (I-5), and what has happened to which task since it was last rendered.
set local role orch_owner;

create table orch.card (
        task_id bigint primary key references orch.task,
        endpoint_id bigint not null references orch.endpoint on delete cascade,
        chat bigint not null,
        message bigint,
        lost boolean not null default false,
        shown text,
        edited_at timestamptz,
        look_at timestamptz default clock_timestamp(),
        failures integer not null default 0,
        process_id bigint,
        token uuid,
        claimed_at timestamptz,
        sending text,
        constraint a_claim_has_its_owner check (claimed_at is null or (process_id is not null and token is not null and sending is not null))
) with (fillfactor = 50);
comment on table orch.card is 'I-5: the one message that shows how a task is. Level-triggered: what it is to say is rendered anew, and sent when it differs.';
comment on column orch.card.task_id is 'Task';
comment on column orch.card.endpoint_id is 'Where the message is';
comment on column orch.card.chat is 'In which chat: messages are numbered by chat, and the number of one means another message in another';
comment on column orch.card.message is 'The message; null: none that we know of';
comment on column orch.card.lost is 'A first message was sent, or is being sent, whose answer is not known: there may be one';
comment on column orch.card.shown is 'Hash of what the message says; null: not known';
comment on column orch.card.edited_at is 'When it was last sent or edited';
comment on column orch.card.look_at is 'When it is looked at again; null: not before something happens to the task';
comment on column orch.card.failures is 'Failures since it was last shown';
comment on column orch.card.process_id is 'Who sends it, or sent it last. No foreign key: processes go';
comment on column orch.card.token is 'Fence of that claim';
comment on column orch.card.claimed_at is 'Since when it is being sent; null: it is not';
comment on column orch.card.sending is 'Hash of what is being sent';
create index card_to_look on orch.card (endpoint_id, look_at) where look_at is not null;
comment on index orch.card_to_look is 'Cards that are looked at again: of the many tasks that are over none';
create index card_claimed on orch.card (claimed_at) where claimed_at is not null;
comment on index orch.card_claimed is 'Cards that are being sent';

create table orch.card_touch (
        id bigint generated always as identity primary key,
        task_id bigint not null
);
comment on table orch.card_touch is 'I-5: tasks that something has happened to: the next claim of cards looks at theirs. Insert-only for who touches, so that it waits for nobody.';
comment on column orch.card_touch.id is 'Identity';
comment on column orch.card_touch.task_id is 'The task. No foreign key: it would lock it';
alter table orch.card_touch set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

create function orch.card_touch_history() returns trigger language plpgsql as $$
begin
        if exists (select from orch.endpoint e where e.kind = 'telegram') then
                insert into orch.card_touch (task_id) values (new.task_id);
        end if;
        return null;
end
$$;
comment on function orch.card_touch_history() is 'I-5: what goes into the history of a task may change what its card says';
create trigger card_touch after insert on orch.history for each row when (new.task_id is not null) execute function orch.card_touch_history();

insert into orch.setting_row (key, kind, value, standard, about) values
        ('card_interval_s', 'int', '5', '5', 'I-5: seconds between two edits of one card; the final state does not wait'),
        ('card_refresh_s', 'int', '60', '60', 'I-5: seconds after which the card of a live task is rendered again although nothing has happened to it: what it waits for may have changed. With thousands of live tasks it is longer.');
