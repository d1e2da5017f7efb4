-- 0030_stop: how long the push of a worker that died may take to arrive (C-3, C-7).
set local role orch_owner;

insert into orch.setting_row (key, kind, value, standard, about) values
        ('late_push_s', 'int', '600', '600', 'C-3: seconds after which the branch of a cancelled task is looked at once more, when a worker of it was lost: its push may arrive late');
