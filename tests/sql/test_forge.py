"""A forge at a server: jobs that it does not answer, its pull request, and its CI (P-1, P-5, I-4, I-7, M-4)."""

import json

import pytest


def connect(world):
    world.operate("endpoint_set", "forge", "gitea", "https://git.example.org", "/etc/orchestrator/forge.token")
    world.operate("project_connect", "demo", "forge", "forge", "acme/demo")


def option(world, key, value):
    world.operate("project_set", "demo", key, value)


@pytest.fixture
def forge(world):
    connect(world)
    world.operate("setting_set", "lane_poll_s", "0")
    return world


def endpoint(world):
    return world.db.row("select state, reason, failures from orch.endpoint")


def over(world):
    """The wait of the endpoint is over."""
    world.db.query("update orch.endpoint set not_before = clock_timestamp() - interval '1 s' returning 1")


def away(world, job, outcome="unavailable"):
    return world.finish(job, "transient", reason="could not fetch", forge={"outcome": outcome})


# --- jobs --------------------------------------------------------------------------------------------------------------------


def test_a_job_is_told_where_its_forge_is(forge):
    """I-1: the address for git is made of the server's and the repository's names; the token is named, not told."""
    forge.item()
    job = forge.claim()
    assert job["forge_location"] == "https://git.example.org/acme/demo.git"
    assert (job["forge"], job["forge_url"], job["forge_token_file"], job["forge_name"]) == (
        "gitea", "https://git.example.org", "/etc/orchestrator/forge.token", "acme/demo")


def test_a_forge_of_our_own_is_a_path(world):
    """I-1: nothing of a server for the local forge."""
    world.item()
    job = world.claim()
    assert (job["forge_location"], job["forge_url"], job["forge_token_file"]) == ("/nonexistent/demo.git", None, None)


@pytest.mark.parametrize("outcome, state", [("unavailable", "down"), ("denied", "denied"), ("limited", "limited")])
def test_what_a_forge_that_is_away_stops_uses_up_nothing(forge, outcome, state):
    """I-7, J-4, S-14: however often, no attempt and no transient failure is counted; the queue says why, and one job tries at a time."""
    item = forge.item()
    forge.operate("setting_set", "job_max_transient", "1")
    for n in range(1, 6):
        job = forge.claim()
        assert job["attempt"] == 1
        assert away(forge, job, outcome) == "recorded"
        assert (endpoint(forge)["state"], endpoint(forge)["failures"]) == (state, n)
        assert forge.blocks(item) == ["forge"] and forge.claim() is None
        over(forge)
        assert forge.blocks(item) == []
    row = forge.db.row("select status, attempts, transients from orch.job")
    assert row == {"status": "queued", "attempts": 0, "transients": 0}


def test_a_job_whose_token_has_no_right_waits_and_uses_up_nothing(forge):
    """I-7, J-4, S-14: people have to act, so it is asked again now and then; no attempt and no transient failure is counted. They are told
    once, in however many repositories."""
    item = forge.item()
    forge.operate("setting_set", "job_max_transient", "1")
    for n in range(5):
        reason = f"push: remote: Forbidden fatal: unable to access 'https://git.example.org/acme/r{n}.git/': The requested URL returned error: 403"
        assert forge.finish(forge.claim(), "transient", reason=reason, forge={"outcome": "forbidden"}) == "recorded"
        assert endpoint(forge)["state"] == "ok" and forge.claim() is None and forge.blocks(item) == ["backoff"]
        forge.db.query("update orch.job set run_at = clock_timestamp() returning 1")
    assert forge.db.row("select status, attempts, transients from orch.job") == {"status": "queued", "attempts": 0, "transients": 0}
    assert forge.db.value("select count(*) from orch.effect where kind = 'alert'") == 1


def test_a_look_that_the_token_may_not_have_waits(forge):
    """I-7: asked again after a while and never given up, and not each second."""
    forge.db.query("select orch.look_want((select id from orch.project where name = 'demo'), 'status', 'abc')")
    for _ in range(12):
        [look] = forge.call("look_claim", forge.process, forge.epoch, 8)
        did = forge.call("look_finish", look["project_id"], look["kind"], look["object"], look["token"], "forbidden", None, None, "no scope")
        assert did[0]["look_finish"].startswith("again: ")
        assert forge.db.row("select attempts, run_at > clock_timestamp() + interval '10 s' as waits from orch.look") == {"attempts": 0, "waits": True}
        forge.db.query("update orch.look set run_at = clock_timestamp() returning 1")


def test_one_job_tries_and_its_start_frees_the_others(forge):
    """I-7: after an outage one job asks; once it has fetched, all may."""
    forge.add_project("other", "OTH")
    forge.operate("project_connect", "other", "forge", "forge", "acme/other")
    items = {forge.item(), forge.item(project="other")}
    away(forge, forge.claim())
    over(forge)
    job = forge.claim()
    (waits,) = items - {job["work_item"]}
    assert forge.claim() is None and forge.blocks(waits) == ["forge"]
    forge.call("job_started", job["job_id"], job["epoch"], job["token"], 1, "/log", "a" * 40)
    assert endpoint(forge)["state"] == "ok"
    assert forge.claim()["work_item"] == waits


def test_who_may_not_start_for_another_reason_tries_nothing(forge):
    """I-7, J-4: a job that finds its provider's circuit in another's hands leaves the trial of the forge to the next one."""
    forge.item()
    away(forge, forge.claim())
    forge.db.query("insert into orch.provider_circuit (provider, state, open_until, reason, failures)"
                   " select provider, 'open', clock_timestamp() - interval '1 s', 'x', 1 from orch.role where key = 'analyst' returning 1")
    over(forge)
    other = forge.db.connect()
    other.autocommit = False
    try:
        other.cursor().execute("select from orch.provider_circuit for no key update")
        assert forge.claim() is None
    finally:
        other.rollback()
        other.close()
    assert forge.claim() is not None


def test_a_job_that_goes_on_asking_tells_of_it(forge):
    """I-7: an agent's work is kept and pushed when the forge is back; people hear of it meanwhile, once, and others wait."""
    forge.item()
    job = forge.claim()
    fence = (job["job_id"], job["epoch"], job["token"])
    for _ in range(3):
        assert forge.call("forge_note", *fence, "denied", "push: 401", None)[0]["forge_note"] is True
    assert endpoint(forge)["state"] == "denied"
    assert forge.db.value("select count(*) from orch.effect where kind = 'alert'") == 1
    assert forge.call("forge_note", job["job_id"], job["epoch"], "00000000-0000-0000-0000-000000000000", "ok", "", None)[0]["forge_note"] is False
    assert endpoint(forge)["state"] == "denied", "a fenced claim is not heard"
    forge.succeed(job)
    assert forge.finish(job, forge={"outcome": "ok"}) == "recorded"


def test_a_transient_failure_that_is_not_the_forges_counts(forge):
    """J-4, I-7: an answer that only means this job is no outage."""
    forge.item()
    forge.finish(forge.claim(), "transient", reason="x", forge={"outcome": "refused"})
    assert endpoint(forge)["state"] == "ok" and forge.db.value("select transients from orch.job") == 1


# --- pull request ------------------------------------------------------------------------------------------------------------


def pulls(world):
    return world.db.query("select object_key, payload, status from orch.effect where kind = 'ensure_pull'")


def test_the_first_push_makes_a_pull_request_once(forge):
    """M-4: one effect when the branch is first pushed, before any deletion of that branch."""
    a = forge.item("Parse sizes")
    forge.work(until="development", item=a)
    (pull,) = pulls(forge)
    task = forge.task(a)
    assert pull["payload"]["branch"] == task["branch"] and pull["payload"]["title"] == f"{a}: Parse sizes"
    forge.operate("cancel", a, "no")
    keys = forge.db.query("select kind, object_key from orch.effect where port = 'forge' order by id")
    assert [k["kind"] for k in keys] == ["ensure_pull", "delete_branch"] and len({k["object_key"] for k in keys}) == 1


def test_a_local_forge_has_no_pull_requests(world):
    """I-1: nobody is asked for what the local forge has not."""
    a = world.item()
    world.work(until="development", item=a)
    assert pulls(world) == []


# --- CI ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ci(forge):
    """An item whose code is pushed, and whose CI the forge runs."""
    option(forge, "ci", "forge")
    forge.a = forge.item()
    forge.work(until="development", item=forge.a)
    forge.succeed(forge.claim())
    return forge


def head(world):
    return world.task(world.a)["head_sha"]


def see(world, *statuses, sha=None):
    """The look's answer: (context, state[, description[, url]])."""
    keys = ("context", "state", "description", "url")
    answer = {"sha": sha or head(world), "statuses": [dict(zip(keys, s)) for s in statuses]}
    row = world.db.value("select orch.seen_status(p, %s, %s::jsonb) from orch.project p", sha or head(world), json.dumps(answer))
    return row


def gate(world):
    return world.db.row("select (orch.gate_result(t, 'ci_green')).* from orch.task t where t.work_item = %s", world.a)


def stage(world):
    return world.task(world.a)["stage"]


def test_the_step_asks_the_forge_and_queues_no_job(ci):
    """P-1, I-4: what is wanted is the statuses of the head; nothing is run by us."""
    assert stage(ci) == "development" and ci.claim() is None
    assert ci.db.column("select object from orch.look where kind = 'status'") == [head(ci)]
    assert not ci.db.value("select exists (select from orch.job where role = 'ci')")


def test_no_status_is_never_green(ci):
    """P-1: an empty set is waited for, also after an answer."""
    see(ci)
    assert gate(ci)["result"] == "wait" and "no status" in gate(ci)["reason"] and stage(ci) == "development"


def test_pending_waits_and_green_goes_on(ci):
    """P-1: all of them, whatever comes first."""
    see(ci, ("build", "success"), ("lint", "pending"))
    assert gate(ci)["result"] == "wait" and "lint" in gate(ci)["reason"]
    see(ci, ("build", "success"), ("lint", "success"))
    assert stage(ci) == "review"


@pytest.mark.parametrize("state", ["failure", "error"])
def test_red_goes_back_with_what_failed(ci, state):
    """P-5: the developer is told which check, what it said, and where there is more."""
    see(ci, ("build", "success"), ("lint", state, "3 complaints", "https://ci.example.org/7"))
    job = ci.claim()
    assert job["role"] == "developer" and "lint: 3 complaints (https://ci.example.org/7)" in job["input"]


def test_the_newest_of_each_context_counts(ci):
    """P-1: a check that was run again."""
    see(ci, ("build", "pending"))
    see(ci, ("build", "success"))
    assert stage(ci) == "review"


@pytest.mark.parametrize("state, result", [("warning", "pass"), ("skipped", "wait"), ("strange", "wait")])
def test_states_that_are_neither_green_nor_red(ci, state, result):
    """P-1: a warning passes; skipped alone is as no status; what we do not know has not ended."""
    see(ci, ("build", state))
    assert (stage(ci) == "review") == (result == "pass")


def test_required_contexts(ci):
    """P-1: those that the project requires count, each must be there, and no other can hold or pass."""
    option(ci, "ci_contexts", "ci / *\nrelease_100%")
    see(ci, ("ci / build (push)", "success"), ("other", "failure"))
    assert gate(ci)["result"] == "wait" and "release_100%" in gate(ci)["reason"]
    see(ci, ("ci / build (push)", "success"), ("releasex100%", "success"))
    assert stage(ci) == "development", "_ is no wildcard"
    see(ci, ("ci / build (push)", "success"), ("release_100%", "success"))
    assert stage(ci) == "review"


def test_a_status_of_another_commit_moves_nothing(ci):
    """I-4: a sha that is no task's head is stored and decides nothing."""
    see(ci, ("build", "success"), sha="f" * 40)
    assert gate(ci)["result"] == "wait"


def test_the_same_answer_again_changes_nothing(ci):
    """I-3: and wants no further look, so that answer and question do not chase each other."""
    ci.db.query("delete from orch.look returning 1")
    see(ci, ("build", "pending"))
    assert see(ci, ("build", "pending")) == "nothing new"
    assert ci.db.value("select count(*) from orch.commit_status") == 1 and ci.db.value("select count(*) from orch.look") == 0


def test_a_status_that_is_there_before_the_push_is_recorded(forge):
    """I-3: events come in any order; what was seen counts when the head is known."""
    option(forge, "ci", "forge")
    forge.a = forge.item()
    forge.work(until="development", item=forge.a)
    job = forge.claim()
    see(forge, ("build", "success"), sha="e" * 40)
    forge.finish(job, head_sha="e" * 40, code_tree="d" * 40, evidence=[])
    assert stage(forge) == "review"


def test_a_commit_that_is_gone(ci):
    """O-5: an answer of nothing is an answer."""
    assert "no such commit" in ci.db.value("select orch.seen_status(p, %s, null) from orch.project p", head(ci))


def test_the_reconciler_asks_again(ci):
    """R-1: when no event comes the statuses are looked at all the same."""
    ci.db.query("delete from orch.look returning 1")
    ci.db.query("select orch.advance(id, 'reconciler') from orch.task")
    assert ci.db.column("select object from orch.look where kind = 'status'") == [head(ci)]


def test_a_project_with_a_worker_for_its_ci_hears_no_status(forge):
    """P-1: statuses at the forge do not count for a project that does not say so."""
    forge.a = forge.item()
    forge.work(until="development", item=forge.a)
    forge.succeed(forge.claim())
    assert "ignored" in see(forge, ("build", "success"))
    assert stage(forge) == "development" and forge.claim()["role"] == "ci"


def test_ci_is_local_or_forge(world):
    """O-5: nothing else is taken."""
    with pytest.raises(Exception, match="no value for ci"):
        option(world, "ci", "somewhere")


def told(world, sha, **facts):
    world.db.query("insert into orch.event (source, body, status, key, kind, project, object, facts) values ('gitea', '', 'routed', %s, 'forge.status', 'acme/demo', %s, %s) returning 1",
                   f"gitea:acme/demo:{sha}", sha, json.dumps({"sha": sha, **facts}))
    return world.handle_events()[0]


@pytest.mark.parametrize("first", ["demo", "second"])
def test_two_projects_of_one_repository(forge, first):
    """I-4: a status is about a branch of the repository: found in whichever project its task is, and not resolved when both could be meant."""
    forge.operate("project_add", "second", "demo", "local", "/nonexistent/demo.git", "main", "SEC", "true")
    forge.operate("project_connect", "second", "forge", "forge", "acme/demo")
    forge.set("serial_gate_enabled", "off")
    for project in ("demo", "second"):
        forge.operate("project_set", project, "ci", "forge")
    a = forge.item(project=first)
    forge.work(until="development", item=a)
    sha = forge.task(a)["head_sha"]
    assert "looked at" in told(forge, sha) and "looked at" in told(forge, "e" * 40)
    assert forge.db.query("select distinct p.name from orch.look l join orch.project p on p.id = l.project_id where l.kind = 'status'") == [{"name": first}]
    b = forge.item(project="second" if first == "demo" else "demo")
    forge.operate("pause", a, None)
    forge.work(until="development", item=b)
    assert "more than one branch" in told(forge, "d" * 40)
    assert forge.task(b)["branch"] in told(forge, forge.task(b)["head_sha"])


def test_two_servers_with_a_repository_of_one_name(forge):
    """I-4: a delivery does not say which server it is from: whose branch it is decides."""
    forge.operate("endpoint_set", "other", "gitea", "https://other.example.org", "/etc/orchestrator/other.token")
    forge.add_project("other", "OTH")
    forge.operate("project_connect", "other", "forge", "other", "acme/demo")
    for project in ("demo", "other"):
        item = forge.item(project=project)
        forge.work(until="development", item=item)
        assert forge.task(item)["branch"] in told(forge, forge.task(item)["head_sha"], branch=forge.task(item)["branch"])
    assert forge.db.value("select count(*) from orch.look where kind = 'status'") == 2
