"""What a claim reads, counted in rows by PostgreSQL: it must not grow with what there is besides the jobs that it looks at."""


def reads(database, table, function, *args):
    """Rows of a table that one call reads: of scans, and through indexes."""
    connection = database.connect("orch")
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute(f"select * from orch.{function}({', '.join(['%s'] * len(args))})", args)
    rows = cursor.fetchall()
    cursor.execute("select seq_tup_read, coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relid = %s::regclass", (f"orch.{table}",))
    scanned, fetched = cursor.fetchone()
    connection.close()
    return rows, scanned, fetched


def test_a_claim_asks_no_old_effects(world):
    """P-8: the branch of a task is named apart from one that will be deleted yet, without a look at every effect that ever was."""
    world.item()
    world.db.query("insert into orch.effect (port, kind, object_key, idempotency_key, payload, status, ended_at) "
                   "select 'notifier', 'alert', 'old:' || n, 'old:' || n, '{}', 'done', now() from generate_series(1, 5000) n")
    rows, scanned, _ = reads(world.db, "effect", "job_claim", world.process, world.epoch)
    assert len(rows) == 1 and scanned == 0


def backlog_in_progress(world, jobs, entry=False):
    """Queued jobs of tasks under way, or new ones, each of a task of its own; of new ones the statistics do not know."""
    world.item()
    connection = world.db.connect("orch")
    connection.cursor().execute(
        "set session_replication_role = replica;"
        "insert into orch.task (project_id, repo_id, tracker_id, work_item, title, stage, stage_version)"
        "  select id, repo_id, 'f' || n, 'F-' || n, 'title', 'development', 3 from orch.project, generate_series(1, %s) n;"
        "insert into orch.job (task_id, repo_id, role, kind, entry, stage, stage_version, priority, max_attempts)"
        "  select id, repo_id, case when %s then 'analyst' else 'ci' end, case when %s then 'agent' else 'ci' end, %s, stage, stage_version, 2, 1"
        "  from orch.task where tracker_id like 'f%%'", (jobs, entry, entry, entry))
    if not entry:
        connection.cursor().execute("analyze orch.job, orch.task")
    connection.close()


def test_a_claim_does_not_sort_the_backlog(world):
    """S-11: the first of many jobs in progress is found without the others."""
    backlog_in_progress(world, 2000)
    rows, scanned, fetched = reads(world.db, "job", "job_claim", world.process, world.epoch)
    assert len(rows) == 1 and scanned + fetched < 200


def test_old_statistics_make_no_claim_read_the_backlog(world):
    """S-11: the tables were analysed when they were empty; 20,000 queued entry jobs later the first job in progress is still one look."""
    world.db.query("analyze")
    backlog_in_progress(world, 20000, entry=True)
    world.db.query("delete from orch.lane_touch")
    rows, scanned, fetched = reads(world.db, "job", "job_claim", world.process, world.epoch)
    assert rows == [] and scanned + fetched < 200


def test_a_batch_is_one_walk(world):
    """S-11: each job of a batch goes on from the one before, not from the start."""
    backlog_in_progress(world, 2000)
    rows, scanned, fetched = reads(world.db, "job", "job_claim", world.process, world.epoch, 64)
    assert len(rows) == 64 and scanned == 0 and fetched < 64 * 100, (scanned, fetched)
    names = [row[4] for row in rows]
    assert names == [f"F-{n}" for n in range(1, 65)]


def asked(cursor):
    """How often the transaction has asked the axes."""
    cursor.execute("select calls from pg_stat_xact_user_functions where funcname = 'job_blocks'")
    return cursor.fetchone()[0]


def test_a_batch_is_one_question(world):
    """S-11: the axes are asked once about all jobs of tasks under way that a claim may take."""
    backlog_in_progress(world, 20)
    connection = world.db.connect("orch")
    cursor = connection.cursor()
    cursor.execute("set track_functions = 'all'")
    cursor.execute("begin")
    cursor.execute("select * from orch.job_claim(%s, %s, 20)", (world.process, world.epoch))
    assert len(cursor.fetchall()) == 20 and asked(cursor) == 1
    connection.close()


def test_a_touched_lane_is_not_looked_at_before_its_turn(world):
    """S-11: a change of a setting touches every lane; a claim asks the axes about the job that it starts, and not about one of each lane."""
    for n in range(10):
        world.add_project(f"repo{n}", f"R{n}")
        world.item(project=f"repo{n}")
    world.set("lane_doubt_s", "61")
    connection = world.db.connect("orch")
    cursor = connection.cursor()
    cursor.execute("set track_functions = 'all'")
    cursor.execute("begin")
    cursor.execute("select * from orch.job_claim(%s, %s)", (world.process, world.epoch))
    assert len(cursor.fetchall()) == 1 and asked(cursor) == 1
    connection.close()
