-- 0036_keep_deploys: what deploys and watches leave goes, too, when it has been kept long enough (J-9, R-10).
set local role orch_owner;

alter table orch.deploy_record add column files_removed_at timestamptz, add column files_look_at timestamptz;
comment on column orch.deploy_record.files_removed_at is 'When its folder was removed from its host';
comment on column orch.deploy_record.files_look_at is 'Not to be looked at before, since it could not be removed';
create index deploy_record_files on orch.deploy_record (host, finished_at) where finished_at is not null and dir is not null and files_removed_at is null;
create index probe_over on orch.probe (ended_at) where ended_at is not null;

insert into orch.setting_row (key, kind, standard, value, about) values
        ('keep_probes_days', 'int', '90', '90', 'M-5: days that the probes of a watch are kept after its verdict, which stays; 0: for ever');
