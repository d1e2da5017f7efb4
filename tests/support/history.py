"""What must be true of the records of a suite, whatever was killed meanwhile."""

STAGES = ("created", "analysis", "architecture", "development", "review", "testing", "deploy-staging", "deploy", "done")


def check_stages(database, work_item):
    """P-1, P-12: each edge of the pipeline was taken once, in order, and each version of the stage once."""
    moves = database.query(
        "select h.from_stage, h.to_stage, h.stage_version from orch.history h join orch.task t on t.id = h.task_id"
        " where t.work_item = %s and h.kind = 'stage' order by h.id", work_item)
    assert [(m["from_stage"], m["to_stage"]) for m in moves] == list(zip(STAGES, STAGES[1:])), (work_item, moves)
    versions = [m["stage_version"] for m in moves]
    assert versions == list(range(versions[0], versions[0] + len(moves))), (work_item, versions)


def check_jobs(database):
    """I3: no job is left in hand, and none was tried more often than allowed."""
    open_jobs = database.query("select id, role, status, attempts, max_attempts from orch.job"
                               " where status <> 'done' or attempts > max_attempts or process_id is not null")
    assert not open_jobs, open_jobs


def check_runs(database):
    """J-1, T-5: the runs of one job follow each other, none is left open, and only the last one succeeded."""
    open_runs = database.query("select job_id, epoch from orch.run where ended_at is null")
    assert not open_runs, open_runs
    overlapping = database.query(
        "select a.job_id, a.epoch as first, b.epoch as second, a.ended_at, b.started_at"
        " from orch.run a join orch.run b on b.job_id = a.job_id and b.epoch > a.epoch"
        " where b.started_at < a.ended_at")
    assert not overlapping, overlapping
    doubled = database.query("select job_id, count(*) as successes from orch.run where outcome = 'success'"
                             " group by job_id having count(*) <> 1")
    assert not doubled, doubled


def check_commits(database, project):
    """P-7: each agent's job has exactly one commit on the default branch, and nothing else claims to be one."""
    jobs = database.column("select id from orch.job where kind = 'agent' and status = 'done' order by id")
    found = sorted(int(value) for _, value in project.trailers("Orch-Job"))
    assert found == jobs, f"commits of jobs {found}, done jobs {jobs}"


def check_agents(agents, work_items):
    """J-1: no agent saw another one at the same work; each role of each item has ended at least once."""
    assert agents.marks("overlap") == []
    for work_item in work_items:
        ended = {(mark.role, mark.stage) for mark in agents.marks("end", work_item=work_item)}
        assert len(ended) == 7, (work_item, ended)


def check_deliveries(database, acknowledged):
    """I-3: each delivery that was answered with 2xx is stored once, and was consumed."""
    stored = database.query("select delivery, count(*) as n, bool_and(ended_at is not null) as consumed,"
                            " bool_or(status in ('malformed', 'dead')) as bad from orch.event"
                            " where delivery = any(%s) group by delivery", sorted(acknowledged))
    lost = acknowledged - {row["delivery"] for row in stored}
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged deliveries lost: {sorted(lost)[:5]}"
    wrong = [row for row in stored if row["n"] != 1 or not row["consumed"] or row["bad"]]
    assert not wrong, wrong


def check_effects(database):
    """P-12: what was to be done outside was done; nothing is left open or dead."""
    left = database.query("select id, port, kind, status, attempts, detail from orch.effect where status <> 'done'")
    assert not left, left


def trees(suite):
    """Worktrees of runs that are still there; those of the dead are removed when their shims have ended."""
    return sorted((suite.folder / "state").glob("runs/*/tree"))


def check_nothing_left(suite, project):
    """No worktree of a run is left, and no lock file of git, which would stop the next command for good."""
    state = suite.folder / "state"
    locks = [path for bare in (*state.glob("mirrors/*.git"), project.bare) for path in bare.rglob("*.lock")]
    assert not trees(suite) and not locks, (trees(suite), locks)
