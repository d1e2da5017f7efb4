"""A backlog for figures: many queued entry jobs over many repos, written by SQL with triggers off, as they would be after
months. Nothing of it is claimed; see tests/bench."""

FROZEN, DEPENDENT, PAUSED = 20, 10, 100  # every n-th repo, task, task

LOAD = """
insert into orch.repo (name) select 'repo' || lpad(r::text, 4, '0') from generate_series(1, %(repos)s) r;
insert into orch.project (name, repo_id, forge, forge_location, work_item_prefix, test_command)
select name, id, 'local', '/nonexistent/' || name, 'R' || upper(substr(name, 5)), 'true' from orch.repo where name ~ '^repo[0-9]';
insert into orch.task (project_id, repo_id, tracker_id, work_item, title, stage, stage_version, paused_at, paused_by, created_at)
select p.id, p.repo_id, n::text, p.work_item_prefix || '-' || n, 'Thing ' || n, 'analysis', 1,
       case when n %% %(paused)s = 0 then now() end, case when n %% %(paused)s = 0 then 'bench' end, now() - make_interval(secs => %(jobs)s - n)
from generate_series(1, %(jobs)s) n join (select *, row_number() over (order by id) as place from orch.project where name ~ '^repo[0-9]') p on p.place = n %% %(repos)s + 1
order by n + 0; -- a number: n alone would be the text above
insert into orch.job (task_id, repo_id, role, kind, entry, stage, stage_version, priority, max_attempts, created_at)
select t.id, t.repo_id, 'analyst', 'agent', true, 'analysis', 1, t.priority, 3, t.created_at from orch.task t order by t.id;
insert into orch.task_dependency (task_id, waits_for, declared_by)
select t.id, t.id - %(repos)s, 'bench' from orch.task t where t.id %% %(dependent)s = 0 and t.id > %(repos)s;
insert into orch.repo_freeze (repo_id, reason, frozen_by) select id, 'bench', 'bench' from orch.repo where id %% %(frozen)s = 0;
insert into orch.lane_touch (repo_id) select id from orch.repo;
"""


def load(database, jobs, repos):
    """Fills a fresh database. Its statistics know of nothing: analyze it, or see what happens without."""
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute("alter table orch.task set (autovacuum_enabled = off); alter table orch.job set (autovacuum_enabled = off)")
        cursor.execute("set session_replication_role = replica")
        cursor.execute(LOAD, {"jobs": jobs, "repos": repos, "paused": PAUSED, "dependent": DEPENDENT, "frozen": FROZEN})
    connection.close()
