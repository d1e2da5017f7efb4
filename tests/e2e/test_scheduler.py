"""The scheduler in a running suite: the incident that caused pause, axes that break, and what a host lacks."""

import pytest

from support.pipeline import Pipeline

BROKEN = ("create or replace view orch.{view} as select j.id as job_id, (1 / (j.id - j.id))::text as reason, ''::text as ends_when "
          "from orch.job j where j.status = 'queued'")


def axes(suite, item):
    return [row["axis"] for row in suite.database.query("select axis from orch.why(%s)", item, user="orch_readonly")]


def alerts(suite, axis):
    return [line for line in suite.log.lines() if "event=alert" in line and f"alert:axis:{axis}" in line]


def metric(suite, name, axis):
    lines = [line for line in suite.status.get("/metrics").text.splitlines() if line.startswith(name + "{") and f'axis="{axis}"' in line]
    return float(lines[0].split()[-1]) if lines else None


def test_an_urgent_successor_overtakes_a_paused_task(make_suite, project, gate):
    """S-3, S-8: the incident: a predecessor in development, an urgent successor held behind it. Paused, it lets the
    successor start while its own agent works to its end; its next job waits; resumed, it goes on to done."""
    gate.hold("developer")
    line = Pipeline(make_suite().start(), project)
    first = line.item("The slow one")
    line.approve_analysis(first)
    line.wait(lambda: line.jobs(first, role="developer", status="running"), 60, "the developer is at work")
    urgent = line.item("The urgent one")
    line.wait(lambda: axes(line.suite, urgent) == ["active-task"], 30, "the successor is held")
    line.suite.orchctl("pause", first)
    line.wait_run(urgent, "analyst")
    gate.open()
    line.wait_run(first, "developer")
    line.wait(lambda: "pause" in axes(line.suite, first), 30, "the next job of the paused task waits")
    line.suite.orchctl("resume", first)
    line.wait(lambda: line.stage(first) not in ("development",), 60, "it has gone on")
    third = line.item("One more")
    line.wait(lambda: axes(line.suite, third) == ["active-task"], 30, "new entries wait again")


@pytest.mark.parametrize("axis, view, lets_in", [("freeze", "axis_freeze", False), ("cancel", "axis_cancel", False),
                                                 ("pause", "axis_pause", True), ("active-task", "axis_serial", True)])
def test_an_axis_breaks_under_a_running_suite(make_suite, project, axis, view, lets_in):
    """S-13: a view is broken while agents work: work under way goes on, new work is let in or withheld as the axis says,
    metrics and /queue say so, there is one alert; mended, all goes on by itself."""
    line = Pipeline(make_suite().start(), project, axis_fault_clear_s=1)
    under_way = line.item("Under way")
    line.approve_analysis(under_way)
    true = line.db.value("select pg_get_viewdef(%s::regclass)", f"orch.{view}")
    line.db.query(BROKEN.format(view=view))
    other = line.item("To be let in")
    line.wait(lambda: alerts(line.suite, axis), 30, "people are alerted")
    line.wait_run(under_way, "developer")
    assert metric(line.suite, "orch_axis_failing", axis) == 1 and metric(line.suite, "orch_axis_failures_total", axis) >= 1
    assert [f["axis"] for f in line.suite.status.get("/queue").json()["axis_faults"]] == [axis]
    if axis in ("freeze", "cancel"):
        assert axis in axes(line.suite, other) and line.jobs(other)[0]["status"] == "queued"
    if axis == "active-task":
        line.wait_run(other, "analyst")
    line.db.query(f"create or replace view orch.{view} as {true}")
    line.item("To see it work")
    line.wait(lambda: metric(line.suite, "orch_axis_failing", axis) == 0, 60, "the fault is over")
    assert len(alerts(line.suite, axis)) == 1
    line.db.query("select orch.pause(%s)", under_way, user="orch_operator")
    line.wait_run(other, "analyst")


def test_a_missing_agent_costs_no_attempt(make_suite, project, agents):
    """J-5: a command that is not there is noticed before a job is claimed, said by name, and forgotten when it is there."""
    late = agents.folder / "comes-late"
    suite = make_suite(agent_command_analyst=f"{late} --x").start()
    line = Pipeline(suite, project)
    item = line.item()
    line.wait(lambda: axes(suite, item) == ["capacity"], 30, "the job waits for a host that can run it")
    assert str(late) in suite.orchctl("why", item).stdout
    assert line.runs(item) == [] and line.jobs(item)[0]["attempts"] == 0
    assert suite.log.wait("preflight.failed")
    late.write_text(agents.path("analyst").read_text())
    late.chmod(0o755)
    assert line.wait_run(item, "analyst")["attempt"] == 1


def test_labels_decide_which_host_runs_it(make_suite, project):
    """S-7: a project that requires a label is run by the host that has it."""
    plain = make_suite(host_name="plain").start()
    line = Pipeline(plain, project)
    line.db.query("update orch.project set requires = '{gpu}'")
    item = line.item()
    line.wait(lambda: axes(plain, item) == ["capacity"], 30, "no host has the label")
    make_suite(host_name="strong", host_labels="big gpu").start()
    run = line.wait_run(item, "analyst")
    host = line.db.value("select h.name from orch.process p join orch.host h on h.id = p.host_id where p.id = %s", run["process_id"])
    assert host == "strong"
