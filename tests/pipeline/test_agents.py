"""What the orchestrator makes of an agent with events, whatever it does (J-2, J-3, J-4, J-7). The stand-in for claude plays
each misbehaviour; a row says what must come of the first run, and of its provider."""

import datetime
import os
import pathlib
import signal

import pytest

from support.claude import Claude
from support.pipeline import Pipeline
from support.processes import is_alive
from support.wait import stays


@pytest.fixture
def claude(folder):
    return Claude(folder / "claude")


@pytest.fixture
def line(make_suite, project, claude):
    """Starts a suite whose agents are claude; makes a line of it."""
    def start(settings=None, **options):
        suite = make_suite(**{**claude.options(), "agent_after_result": "20s", **options}).start()
        return Pipeline(suite, project, **{"job_backoff_s": 0, **(settings or {})})
    return start


def circuit(line):
    rows = line.db.query("select * from orch.provider_circuit")
    return rows[0] if rows else None


ONCE = "if call > 1:\n    good()\n    sys.exit()\n"  # only the first run misbehaves

# name: what it does, the outcome of the first run, a part of the reason
ROWS = {
    "does well": ("good()", "success", ""),
    "hangs after its result": ("work(); result(); stay()", "success", ""),
    "hangs after a bad result": ("work(); result(is_error=True, result='no'); stay()", "failed", "says that it has failed (success): no"),
    "a wedged stream": ('init(); answer(); raw(\'{"type":"assis\'); stay()', "timeout", "wrote nothing"),
    "its output stops, its work does not": ("init(); answer(); os.close(1); os.dup2(os.open('/dev/null', os.O_WRONLY), 1); leave()",
                                            "failed", "said no result"),
    "never reads its task: unread": ("os.close(0); good()", "success", ""),
    "exits with 0 without a result": ("work()", "failed", "exited with 0 and said no result"),
    "says nothing at all": ("leave()", "failed", "said no result"),
    "an error, and exits with 0": ("work(); result(is_error=True, result='cannot')", "failed", "cannot"),
    "a kind that is no success": ("work(); result('error_max_turns')", "failed", "error_max_turns"),
    "a good result, and exits with 7": ("good(); sys.exit(7)", "failed", "then exited with 7"),
    "a good result, and dies": ("good(); os.kill(os.getpid(), 11)", "killed", "signal 11"),
    "a bad result, then a good one": ("work(); result(is_error=True, result='no'); result()", "success", ""),
    "a good result, then a bad one": ("work(); result(); result(is_error=True, result='no')", "failed", "no"),
    "children that hold its output": ("escaped(); good()", "success", ""),
    "a giant line": ("init(); answer(); tool('x' * 3000000); answer('m2', text='y' * 3000000); leave(); result()", "success", ""),
    "a giant result": ("work(); result(result='x' * 3000000)", "failed", "too long"),
    "bytes that are no characters": ("init(); raw(b'\\xff\\xfe\\x00\\n'); work(); raw(b'{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"result\":\"\\xff\"}\\n')",
                                     "success", ""),
    "the last line is cut": ("work(); raw('{\"type\":\"result\",\"subtype\":\"success\",\"is_err')", "failed", "said no result"),
    "events of a later version": ("work(); event(type='from_the_future', x=[[[]]]); event(type='system', subtype='new'); result()", "success", ""),
    "somebody else's result is quoted": ("work(); raw('{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"session_id\":\"x\"}\\n')", "failed", "said no result"),
    "a limit that is only talked about": ("init(); answer(text='You have hit your session limit. 429 rate_limit_error'); tool('overloaded_error'); sys.exit(1)",
                                          "failed", "exited with 1"),
    "a limit that did not matter": ("init(); limit('allowed_warning'); limit('rejected'); answer(); leave(); result(is_error=True, result='no')",
                                    "failed", "no"),
    "no room left": ("work(); result(is_error=True, result='Prompt is too long', terminal_reason='blocking_limit'); sys.exit(1)", "failed", "no room left"),
    # its provider
    "429": ("init(); synthetic('rate_limit', 'x'); result(is_error=True, api_error_status=429, result='x'); sys.exit(1)", "transient", "(429)"),
    "529 at the start, without end": ("init()\nwhile True:\n    retry(529, 'overloaded'); time.sleep(0.05)  # lasts", "transient", "(529)"),
    "no network": ("init(); retry(None, 'unknown'); sys.exit(1)", "transient", "could not serve"),
    "a server error": ("init(); result(is_error=True, api_error_status=500, result='x'); sys.exit(1)", "transient", "(500)"),
    "words of a failure, as the last resort": ("print('Error: ECONNRESET', file=sys.stderr); sys.exit(1)", "transient", "ECONNRESET"),
}
PROVIDER = ["429", "529 at the start, without end", "no network", "a server error", "words of a failure, as the last resort"]


@pytest.mark.parametrize("name", ROWS)
def test_what_comes_of_it(line, claude, name):
    """J-2, J-3, J-4"""
    plan, outcome, reason = ROWS[name]
    claude.set(f"{ONCE if outcome != 'success' else ''}{plan}")
    line = line(agent_timeout="6s" if name.startswith("529") else "60s", agent_idle_timeout="3s" if "wedged" in name else "0ms",
                agent_after_result="400ms" if name.startswith("hangs") else "20s")
    item = line.item()
    line.wait_run(item, "analyst")
    run = line.runs(item, "analyst")[0]
    line.wait(lambda: line.runs(item, "analyst")[0]["outcome"])
    run = line.runs(item, "analyst")[0]
    assert (run["outcome"], reason in run["reason"]) == (outcome, True), run["reason"]
    assert (circuit(line) is not None) == (name in PROVIDER)
    if name in PROVIDER:
        assert circuit(line)["state"] == "open" and line.jobs(item)[0]["attempts"] == 0
    else:
        line.wait_shown(item, "in_review")  # the next attempt does well
    if name == "children that hold its output":
        assert not is_alive(int((claude.folder / "escaped").read_text()))
    if name == "hangs after its result":
        assert line.suite.log.wait("agent.late-exit")


def test_a_run_says_who_it_was_and_what_it_used(line, claude):
    """J-7: session, model, version; tokens by model; the agent's own sum."""
    claude.set("init(); answer('m1', (100, 1)); answer('m1', (100, 20)); answer('m2', (5, 5), 'claude-haiku-4-5'); leave();"
               "result(cost=0.01); result(cost=0.123456)")
    line = line()
    item = line.item()
    line.wait_shown(item, "in_review")
    run = line.runs(item, "analyst")[0]
    call = claude.calls()[0]
    assert (run["session_id"], run["model"], run["agent_version"]) == (call["session"], "claude-opus-4-8", "2.1.241")
    assert (float(run["cost_usd"]), run["cost_source"]) == (0.123456, "agent")
    assert run["usage"]["models"]["claude-opus-4-8"] == {"input": 100, "output": 20, "cache_read": 0, "cache_write": 0}
    assert run["usage"]["models"]["claude-haiku-4-5"]["output"] == 5 and run["usage"]["turns"] == 3
    assert line.db.value("select usd from orch.task_usage") == line.db.value("select usd from orch.task_cost")


@pytest.mark.parametrize("model, source, usd", [("claude-opus-4-8", "prices", 5 + 25 / 10), ("claude-next-9", "dearest", 15 + 75 / 10)])
def test_use_of_a_killed_run(line, claude, model, source, usd):
    """J-7: there was no result: its tokens are priced, those of a model that nobody knows as the dearest."""
    claude.set(f"{ONCE}init(); answer(tokens=(1000000, 100000), model='{model}'); stay()")
    line = line(agent_idle_timeout="3s")
    item = line.item()
    line.wait_shown(item, "in_review")
    run = line.runs(item, "analyst")[0]
    assert (run["outcome"], float(run["cost_usd"]), run["cost_source"]) == ("timeout", usd, source)


def test_use_of_a_cancelled_run(line, claude):
    """J-7, C-3"""
    claude.set("init(); answer(tokens=(1000000, 0)); stay()")
    line = line()
    item = line.item()
    line.wait_running(item, "analyst")
    line.wait(lambda: '"m1"' in pathlib.Path(line.runs(item)[0]["log"]).read_text())
    line.cancel(item)
    run = line.wait_run(item, "analyst")
    assert (run["outcome"], float(run["cost_usd"])) == ("cancelled", 5)


@pytest.mark.parametrize("log_max", ["64MiB", "64KiB"])
def test_use_of_an_adopted_run(line, claude, log_max):
    """J-7, J-8: the heir reads what the worker before has read; also when the shim has cut the log."""
    claude.set("init(); answer(tokens=(100, 7)); tool('x' * 200000); answer('m2', (11, 3)); leave(); (HERE / 'left').touch()\n"
               "while not (HERE / 'go').exists():\n    time.sleep(0.05)  # lasts\n"
               "tool('x' * 200000); result()")
    line = line(agent_log_max=log_max)
    item = line.item()
    line.wait_running(item, "analyst")
    line.wait(lambda: (claude.folder / "left").exists())
    os.kill(line.suite.pids("workerd")[0], signal.SIGKILL)
    line.wait(lambda: line.db.value("select count(*) from orch.history where kind = 'adopt'") == 1, what="adopted")
    (claude.folder / "go").touch()
    line.wait_shown(item, "in_review")
    run = line.runs(item, "analyst")[0]
    assert (run["outcome"], float(run["cost_usd"])) == ("success", 0.25)
    assert run["usage"]["models"]["claude-opus-4-8"]["input"] in ((111,) if log_max == "64MiB" else (100, 111))


# --- sessions ------------------------------------------------------------------------------------------------

def test_a_retry_goes_on_with_the_session(line, claude):
    """J-2: on the same host, by the transcript of the run before, under a new id; the first prompt is not sent again."""
    claude.set("init(); answer(); \nif call < 3:\n    sys.exit(3)\nleave(); result()")
    line = line(settings={"job_max_attempts": 3})
    item = line.item()
    line.wait_shown(item, "in_review")
    first, second, third = claude.calls()
    assert (first["resumed"], second["resumed"], third["resumed"]) == (None, first["session"], second["session"])
    assert len({first["session"], second["session"], third["session"]}) == 3
    assert "# Task of the analyst" in first["stdin"] and "# Task of the analyst" not in second["stdin"]
    assert "exited with 3" in second["stdin"] and second["env"]["ORCH_TASK_FILE"] in second["stdin"]
    runs = line.runs(item, "analyst")
    assert [r["session_id"] for r in runs] == [c["session"] for c in (first, second, third)]
    assert [r["resumes"] for r in runs] == [None, first["session"], second["session"]]


def test_a_refused_session_is_retired(line, claude):
    """J-2: the refusal is recognised and burns no attempt; no older session is revived; the next run begins anew."""
    claude.set("init(); answer()\nif call == 1:\n    sys.exit(3)\nif call == 2:\n    transcript(session).write_text('forget'); sys.exit(4)\nleave(); result()")
    line = line(settings={"job_max_attempts": 3})
    item = line.item()
    line.wait_shown(item, "in_review")
    calls, runs = claude.calls(), line.runs(item, "analyst")
    assert [r["outcome"] for r in runs] == ["failed", "failed", "transient", "success"]
    assert [c["resumed"] for c in calls] == [None, calls[0]["session"], calls[1]["session"], None]
    assert "does not know the session" in runs[2]["reason"]
    assert [r["session_retired"] for r in runs] == ["refused"] * 3 + [None]
    assert "# Task of the analyst" in calls[3]["stdin"] and line.jobs(item, role="analyst")[0]["attempts"] == 3
    assert line.suite.log.wait("session.retired")


def test_a_session_without_transcript_is_not_asked_for(line, claude):
    """J-2: an agent that has left none is begun anew."""
    claude.set("if call == 1:\n    transcript(session).unlink(); sys.exit(3)\ngood()")
    line = line()
    item = line.item()
    line.wait_shown(item, "in_review")
    assert [c["resumed"] for c in claude.calls()] == [None, None]


def test_a_transcript_that_is_a_link_is_not_followed(line, claude, folder):
    """J-2: HOME is the agent's; what it links to is not carried anywhere."""
    secret = folder / "secret"
    secret.write_text("canary")
    claude.set(f"if call == 1:\n    transcript(session).unlink(); transcript(session).symlink_to('{secret}'); sys.exit(3)\n"
               "good(); (HERE / 'seen').write_text(' '.join(p.read_text() for p in transcript('x').parent.glob('*')))")
    line = line()
    item = line.item()
    line.wait_shown(item, "in_review")
    assert claude.calls()[1]["resumed"] is None
    assert "canary" not in (claude.folder / "seen").read_text() and secret.read_text() == "canary"


# --- the provider --------------------------------------------------------------------------------------------

def test_a_limit_parks_the_account_until_its_reset(line, claude):
    """J-4: with the time that the provider said, a little later; no job starts before, none has burnt an attempt; then one tries."""
    claude.set("if call == 1:\n    init(); limit(resets_in=3600); synthetic('rate_limit', 'x');"
               " result(is_error=True, api_error_status=429, result='x'); sys.exit(1)\ngood()")
    line = line(settings={"circuit_open_s": 1})
    item = line.item()
    line.wait(lambda: circuit(line), what="the account is parked")
    seconds = line.db.value("select extract(epoch from open_until - clock_timestamp())::float from orch.provider_circuit")
    assert 3600 - 60 < seconds < 3600 + 120
    assert "used up" in circuit(line)["reason"] and line.jobs(item)[0]["attempts"] == 0
    stays(lambda: len(claude.calls()) == 1, 1)
    line.db.query("update orch.provider_circuit set open_until = now()")
    line.wait_shown(item, "in_review")
    assert circuit(line)["state"] == "closed" and len(claude.calls()) == 2


def test_a_login_that_fails_is_not_tried_again(line, claude):
    """J-4: failed at once, with an alert; the account is parked, so that the others do not fail as well."""
    claude.set("init(); synthetic('authentication_failed', 'x'); result(is_error=True, api_error_status=401, result='Please log in'); sys.exit(1)")
    line = line()
    item = line.item()
    assert "does not serve this account" in line.wait_escalated(item)
    assert len(claude.calls()) == 1 and line.jobs(item)[0]["status"] == "failed"
    assert circuit(line)["state"] == "open"


# --- how it is started ---------------------------------------------------------------------------------------

def test_how_it_is_started(line, claude):
    """J-2"""
    line = line()
    item = line.item()
    line.wait_shown(item, "in_review")
    call = claude.calls()[0]
    session = call["words"][-1]
    assert call["words"] == ["-p", "--output-format", "stream-json", "--verbose", "--strict-mcp-config", "--session-id", session]
    assert session == line.runs(item)[0]["session_id"]
    assert call["env"]["CLAUDE_CODE_SUBPROCESS_ENV_SCRUB"] == "1"


def test_a_session_is_noted_before_the_start(line, claude):
    """J-2: known also of a run whose host is lost."""
    claude.set("stay()")
    line = line()
    item = line.item()
    line.wait(lambda: claude.calls())
    assert line.runs(item)[0]["session_id"] == claude.calls()[0]["session"]


@pytest.mark.parametrize("command, why", [("claude -p --resume x", "--resume"), ("claude -p --output-format=json", "--output-format")])
def test_a_command_that_says_what_is_ours(line, claude, command, why):
    """J-5: it is not started, no attempt is burnt, and why says so."""
    line = line(agent_command=str(claude.folder / command))
    item = line.item()
    line.wait(lambda: why in line.suite.orchctl("why", item).stdout)
    assert not claude.calls()


def test_today(line, claude):
    """J-7: the day's sum is of today."""
    line, begun = line(), datetime.datetime.now(datetime.timezone.utc).date()
    item = line.item()
    line.wait_shown(item, "in_review")
    assert begun <= line.db.value("select day from orch.day_usage") <= datetime.datetime.now(datetime.timezone.utc).date()
