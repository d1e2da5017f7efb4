-- 0044_relations: relations of work items are read again: nothing tells of them (S-15).
set local role orch_owner;

alter table orch.tracker_item add column related_at timestamptz;
comment on column orch.tracker_item.related_at is 'When its relations were last read; null: never, or before this was noted';

insert into orch.setting_row (key, kind, value, standard, about) values
        ('tracker_relations_s', 'int', '300', '300', 'S-15: seconds for which the relations of an item whose task has not begun are taken for known');
