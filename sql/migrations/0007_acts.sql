-- 0007_acts: what the acts of operators need to be quick and bounded.
set local role orch_owner;

-- the expression is that of orch.item_name(), so that a cancelled task is found by the name people use
create index task_of_item on orch.task (regexp_replace(work_item, '#cancelled-[0-9]+$', ''), id);
