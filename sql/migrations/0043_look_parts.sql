-- 0043_look_parts: what a look may want besides its object (I-2, I-7). Two kinds that nobody ever wanted go.
set local role orch_owner;

comment on column orch.look.parts is 'What is asked besides the object itself: of an item, 1 its relations, 2 its comments; each is a request more. 4: the states of the board were read again for it';
alter table orch.look drop constraint look_kind_check;
alter table orch.look add constraint look_kind_check check (kind in ('item', 'items', 'states', 'status', 'hooks'));
comment on column orch.look.kind is 'item, items (a page of them), states: of the tracker; status, hooks: of the forge';
