"""The gates as a registry, the evidence ledger, and what a person decides (P-1, P-4, P-9, B-4, M-6, M-7)."""

import pathlib

import psycopg2
import pytest

GATES = pathlib.Path(__file__).parents[2] / "sql" / "gates"


def answer(world, item, gate):
    return world.db.row("select (orch.gate_result(t, %s)).* from orch.task t where work_item = %s", gate, item)


def waiting_gate(world, item):
    return world.db.value("select (orch.waiting_step(t)).gate from orch.task t where work_item = %s", item)


def instead_of(world, gate, result, reason):
    """The gate says this, whatever is stored."""
    world.db.query(f"create or replace function orch.gate_{gate}(t orch.task) returns orch.gate_answer language sql stable as "
                   f"$$ select row('{result}', '{reason}')::orch.gate_answer $$")


# --- the registry ---------------------------------------------------------------------------------------------

def test_each_gate_is_one_file(database):
    """P-1, B-4: the rows of the registry are the files, and each file is one function that only reads."""
    assert sorted(path.stem for path in GATES.glob("*.sql")) == database.column("select key from orch.gate order by key")
    volatile = database.column("""select p.proname from pg_proc p join orch.gate g on p.proname = 'gate_' || g.key
                                  where p.pronamespace = 'orch'::regnamespace and p.provolatile = 'v'""")
    assert volatile == []


def test_a_gate_without_a_file_stops_the_migration(database):
    """P-1: the list cannot promise what nobody decides."""
    database.query("insert into orch.gate (key, kind, waits_for) values ('moon_full', 'evidence', 'the moon')")
    with pytest.raises(psycopg2.errors.RaiseException, match="without a file.*moon_full"):
        database.query("drop function orch.gate_ask cascade; select orch.gate_ask_make()")


def test_an_unknown_gate_is_an_error(world):
    """P-4: not a pass, and not silence."""
    a = world.item()
    with pytest.raises(psycopg2.errors.RaiseException, match="no gate"):
        answer(world, a, "no_such_gate")


# --- inconclusive ---------------------------------------------------------------------------------------------

@pytest.fixture
def doubtful(world):
    """An item at staging whose gate is inconclusive."""
    item = world.item()
    world.work(until="deploy-staging", item=item)
    job = world.claim()
    instead_of(world, "staging_ok", "inconclusive", "nobody knows whether it runs")
    world.succeed(job)
    return item


def test_inconclusive_waits_for_a_person_who_is_told_once(world, doubtful):
    """P-9, B-4: Blocked, one alert, the reason as a wait for a person; asking again changes nothing."""
    assert world.task(doubtful)["stage"] == "deploy-staging"
    assert world.shown(doubtful)[-1] == "blocked"
    for _ in range(3):
        world.db.query("select orch.advance(%s, 'test')", world.task_id(doubtful))
    alerts = world.effects("alert", doubtful)
    assert len(alerts) == 1 and "nobody knows whether it runs" in alerts[0]["text"]
    [why] = world.call("why", doubtful, user="orch_readonly")
    assert why["axis"] == "person" and why["reason"] == "nobody knows whether it runs"
    assert "orchctl approve" in why["ends_when"]


def test_an_approved_doubt_is_a_pass(world, doubtful):
    """P-9: approve passes it, with the name of who did; twice changes nothing."""
    world.operate("approve", doubtful, "I looked")
    world.succeed(world.until("integrator"))
    assert world.task(doubtful)["stage"] == "deploy"
    decision = world.db.row("select * from orch.decision order by id desc limit 1")
    assert (decision["gate"], decision["verdict"], decision["actor"]) == ("staging_ok", "approved", "orch_operator")
    assert waiting_gate(world, doubtful) == "deploy_confirmed", "the approval was of the doubt, not of the deploy"
    passed = answer(world, doubtful, "staging_ok")
    assert passed["result"] == "pass" and "orch_operator has approved" in passed["reason"]


def test_a_rejected_doubt_is_a_failure(world, doubtful):
    """P-5, P-9: reject takes the failure edge of the step, with the comment as the developer's input."""
    world.operate("reject", doubtful, "it does not run")
    task = world.task(doubtful)
    assert (task["stage"], task["developer_rounds"]) == ("development", 1)
    assert "it does not run" in world.claim()["input"]


def test_a_doubt_does_not_end_by_the_reconciler(world, doubtful):
    """R-1: nothing automatic ends what a person must."""
    world.set("stage_grace_s", "0")
    version = world.task(doubtful)["stage_version"]
    world.call("reconcile_gates", 10, user="orch_reconcilerd")
    assert world.task(doubtful)["stage_version"] == version


# --- steps that a project may switch on -------------------------------------------------------------------------

def roles(world, item, stage):
    return [j["role"] for j in world.jobs(item) if j["stage"] == stage]


def test_sub_gates_are_skipped_without_a_command(world):
    """M-6: nobody waits for a command that is not there."""
    a = world.item()
    world.work(until="done", item=a)
    assert roles(world, a, "testing") == ["tester"] and roles(world, a, "deploy-staging") == ["deployer", "integrator"]


def test_sub_gates_in_their_fixed_order(world):
    """M-6: coverage after the tests, the image after staging; the worker is told the command."""
    world.operate("project_command_set", "demo", "coverage", "make cov")
    world.operate("project_command_set", "demo", "image", "make image")
    a = world.item()
    world.work(until="testing", item=a)
    world.succeed(world.claim())
    job = world.claim()
    assert (job["role"], job["kind"], job["command"]) == ("coverage", "check", "make cov")
    world.finish(job, check={"state": "pass"})
    assert world.task(a)["stage"] == "deploy-staging"
    world.succeed(world.claim())
    job = world.claim()
    assert (job["role"], job["command"]) == ("image", "make image")
    world.finish(job, check={"state": "pass"})
    world.succeed(world.until("integrator"))
    assert world.task(a)["stage"] == "deploy"
    row = world.db.row("select * from orch.evidence where gate = 'coverage_kept'")
    assert (row["source"], row["value"]) == ("command", "pass") and row["run_id"] and row["sha"] == world.task(a)["head_sha"]


def test_a_red_sub_gate_sends_back(world):
    """M-6, P-5: with what the command has said."""
    world.operate("project_command_set", "demo", "coverage", "make cov")
    a = world.item()
    world.work(until="testing", item=a)
    world.succeed(world.claim())
    world.finish(world.claim(), check={"state": "fail"}, reason="exited with 1: 71 % instead of 80 %")
    assert world.task(a)["stage"] == "development" and "71 % instead of 80 %" in world.claim()["input"]


def test_a_command_that_goes_lets_go_who_waits_for_it(world):
    """M-6: its queued job is cancelled, and the task moves on."""
    world.operate("project_command_set", "demo", "coverage", "make cov")
    a = world.item()
    world.work(until="testing", item=a)
    world.succeed(world.claim())
    assert waiting_gate(world, a) == "coverage_kept"
    world.operate("project_command_remove", "demo", "coverage")
    assert world.task(a)["stage"] == "deploy-staging"
    assert [j["status"] for j in world.jobs(a) if j["role"] == "coverage"] == ["cancelled"]


# --- options and commands ---------------------------------------------------------------------------------------

def option(world, key):
    return {o["key"]: o["value"] for o in world.operate("project_show", "demo")["options"]}[key]


def test_options_are_set_and_taken_back(world):
    """O-2: by kind; without a value as in a new project; once in the history."""
    standard = option(world, "test_globs")
    assert "conftest.py" in standard
    assert world.operate("project_set", "demo", "test_globs", "checks/, *.check  x y")["message"] == "test_globs of demo is set"
    assert option(world, "test_globs") == ["checks/", "*.check", "x", "y"]
    world.operate("project_set", "demo", "test_globs", "checks/, *.check  x y")
    assert len(world.db.query("select 1 from orch.history where kind = 'project' and detail ->> 'key' = 'test_globs'")) == 1
    world.operate("project_set", "demo", "test_globs", None)
    assert option(world, "test_globs") == standard


def test_what_was_registered_can_be_corrected(world):
    """O-2, C-4: the test command at any time; the default branch not under a task, whose branch was cut from it."""
    first = world.item()
    with pytest.raises(psycopg2.Error, match="demo has tasks under way") as refused:
        world.operate("project_set", "demo", "default_branch", "trunk")
    assert refused.value.pgcode == "OR002"
    world.operate("cancel", first, None)
    world.operate("project_set", "demo", "default_branch", "trunk")
    world.item()
    world.operate("project_set", "demo", "test_command", "make check")
    job = world.claim()
    assert (job["default_branch"], job["test_command"]) == ("trunk", "make check")


def test_a_project_that_takes_nothing_in(world):
    """P-6: what is under way goes on, what is new is told why not; switched on again, it is taken in."""
    first = world.item()
    world.operate("project_set", "demo", "active", "off")
    second = world.item()
    world.work(until="architecture", item=first)
    assert world.db.value("select count(*) from orch.task") == 1
    said = world.db.value("select payload ->> 'text' from orch.effect where payload ->> 'marker' like 'qg0:%%'")
    assert said == "Not taken in: project demo takes no new work items"
    world.operate("project_set", "demo", "active", "on")
    world.move(second, "to_analyse")
    assert world.task(second)["stage"] == "analysis"


@pytest.mark.parametrize("kind, typed, value", [
    ("bool", "on", True), ("bool", "off", False), ("bool", "yes", None), ("int", "30", 30), ("int", "-1", None), ("int", "1e9", None),
    ("text", "a b", "a b"), ("list", " a, b\tc,,", ["a", "b", "c"]), ("list", "", []), ("lines", "a b\n\n c:d \n", ["a b", "c:d"])])
def test_values_by_kind(database, kind, typed, value):
    """O-5: what is no value of the kind is refused, never guessed."""
    assert database.value("select orch.project_value(%s, %s)", kind, typed) == value


@pytest.mark.parametrize("act, args, code", [
    ("project_set", ("nowhere", "test_globs", "x"), "OR001"), ("project_set", ("demo", "forge_location", "/x"), "OR001"), ("project_set", ("demo", None, "x"), "OR001"),
    ("project_set", ("demo", "test_command", ""), "OR003"), ("project_set", ("demo", "test_command", None), "OR003"),
    ("project_set", ("demo", "default_branch", "-x"), "OR003"), ("project_set", ("demo", "active", "maybe"), "OR003"),
    ("project_show", ("nowhere",), "OR001"), ("project_command_set", ("nowhere", "coverage", "x"), "OR001"),
    ("project_command_set", ("demo", "nothing", "x"), "OR001"), ("project_command_set", ("demo", "coverage", " "), "OR003"),
    ("project_command_set", ("demo", "coverage", None), "OR003"), ("project_command_set", ("demo", "coverage", "x" * 4001), "OR003"),
    ("project_command_remove", ("nowhere", "coverage"), "OR001")])
def test_bad_options_are_refused(world, act, args, code):
    """O-5"""
    with pytest.raises(psycopg2.Error) as refused:
        world.operate(act, *args)
    assert refused.value.pgcode == code


def test_each_option_is_a_column(database):
    """O-2: the catalogue promises nothing that is not there."""
    assert database.column("""select key from orch.project_option where not exists (select from pg_attribute
                              where attrelid = 'orch.project'::regclass and attname = key)""") == []
