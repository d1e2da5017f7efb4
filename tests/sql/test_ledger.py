"""The evidence ledger: what counts, what is void and why, and what people are shown (P-4, B-4, M-7)."""

import pytest
from world import fake_sha

CODE, PATCH = "c" * 40, "9" * 40


def gate(world, item, key):
    [found] = [g for g in world.call("gates", item, user="orch_readonly")[0]["gates"]["gates"] if g["gate"] == key]
    return found


def standings(world, item, key):
    return [e["standing"] for e in gate(world, item, key)["evidence"]]


def rebase(world, item, code=None, patch=None):
    """The head moves, as the integrator would have it."""
    world.db.query("update orch.task set head_sha = %s, code_tree = coalesce(%s, code_tree), patch_id = coalesce(%s, patch_id) where work_item = %s",
                   fake_sha(), code, patch, item)


@pytest.fixture
def tested(world):
    """An item in deploy-staging: reviewed and tested."""
    item = world.item()
    world.work(until="development", item=item)
    world.finish(world.claim(), head_sha=fake_sha(), code_tree=CODE, patch_id=PATCH, patch_base="b" * 40)
    world.succeed(world.claim())
    for role, evidence in (("reviewer", {"gate": "review_approved", "value": "APPROVED"}), ("tester", {"gate": "tests_passed", "value": "PASS"})):
        job = world.claim()
        assert job["role"] == role
        world.finish(job, head_sha=fake_sha(), code_tree=CODE, patch_id=PATCH, patch_base="b" * 40,
                     evidence=[{**evidence, "file": "f.md", "blob": "d" * 40}])
    assert world.task(item)["stage"] == "deploy-staging"
    return item


def test_a_row_keeps_where_it_is_from(world, tested):
    """B-4: source, run, commit, change, hash and age."""
    [row] = gate(world, tested, "review_approved")["evidence"]
    assert (row["source"], row["by"], row["value"], row["hash"], row["patch_id"], row["base_sha"]) == ("run", "reviewer", "APPROVED", "d" * 40, PATCH, "b" * 40)
    assert row["run"] and len(row["sha"]) == 40 and row["age_s"] >= 0 and row["counts"] and row["visit"]


def test_a_rebase_that_keeps_the_change_keeps_the_review(world, tested):
    """P-4: same patch-id, other tree: the review stays, the tests are void."""
    rebase(world, tested, code="e" * 40)
    assert gate(world, tested, "review_approved")["result"] == "pass"
    tests = gate(world, tested, "tests_passed")
    assert tests["result"] == "wait" and "void: the code changed" in tests["reason"]
    assert standings(world, tested, "tests_passed") == ["void: the code changed"]


def test_another_change_voids_the_review(world, tested):
    """P-4: a pass is void once its input changed."""
    rebase(world, tested, code="e" * 40, patch="8" * 40)
    assert standings(world, tested, "review_approved") == ["void: the change is another one"]
    assert gate(world, tested, "review_approved")["result"] == "wait"


def test_without_a_name_of_the_change_the_code_decides(world, tested):
    """P-4: a change too large to be named: any other code voids the review."""
    world.db.query("update orch.task set patch_id = null")
    assert standings(world, tested, "review_approved") == ["counts"]
    rebase(world, tested, code="e" * 40)
    assert standings(world, tested, "review_approved") == ["void: the code changed"]


def test_documents_of_the_task_void_nothing(world, tested):
    """P-4: code_tree is without the docs folder, so a commit of documents leaves all as it is."""
    rebase(world, tested)
    assert standings(world, tested, "review_approved") == standings(world, tested, "tests_passed") == ["counts"]


def test_a_round_of_development_ends_the_visit(world, tested):
    """P-4, P-5: once the task has gone back, what was found before is of an earlier visit, same code or not."""
    world.succeed(world.claim(), "FAILED")
    assert world.task(tested)["stage"] == "development"
    for key in ("review_approved", "tests_passed", "staging_ok"):
        assert standings(world, tested, key) == ["of an earlier visit"] and gate(world, tested, key)["result"] == "wait"
    assert gate(world, tested, "architecture_done")["result"] == "pass", "that stage was not gone back to"


def test_the_newest_counts(world):
    """B-4: of two findings of one visit the older is superseded; files of one run stand together."""
    item = world.item()
    files = [{"gate": "artefacts_analyst", "value": "present", "file": f} for f in ("01", "02")]
    world.finish(world.claim(), head_sha=fake_sha(), code_tree=CODE, evidence=files)
    assert standings(world, item, "artefacts_analyst") == ["counts", "counts"]
    world.db.query("insert into orch.evidence (task_id, gate, stage_version, run_id, value, file) select task_id, gate, stage_version, run_id, 'present', '01'"
                   " from orch.evidence limit 1")
    assert sorted(standings(world, item, "artefacts_analyst")) == ["counts", "counts", "superseded"]


# --- who may say it -------------------------------------------------------------------------------------------

def test_a_review_by_a_session_that_wrote_the_code_is_void(world, tested):
    """P-4: the reviewer's run is never one that wrote the code: not by going on with the developer's session either."""
    world.db.query("update orch.run r set session_id = md5(j.role)::uuid from orch.job j where j.id = r.job_id")
    assert standings(world, tested, "review_approved") == ["counts"]
    world.db.query("update orch.run r set session_id = md5('developer')::uuid from orch.job j where j.id = r.job_id and j.role = 'reviewer'")
    assert standings(world, tested, "review_approved") == ["void: its run wrote the code"]
    assert gate(world, tested, "review_approved")["result"] == "wait"
    assert standings(world, tested, "tests_passed") == ["counts"], "only a review has to be by another"


def test_agents_without_sessions_are_known_by_their_role(world, tested):
    """P-4: no session id is nobody's session id; the role still decides."""
    world.db.query("update orch.run set session_id = null")
    assert standings(world, tested, "review_approved") == ["counts"]
    world.db.query("update orch.evidence e set run_id = (select r.id from orch.run r join orch.job j on j.id = r.job_id where j.role = 'developer')"
                   " where gate = 'review_approved'")
    assert standings(world, tested, "review_approved") == ["void: its run wrote the code"]


# --- what people are shown ---------------------------------------------------------------------------------------

def test_the_whole_ledger_in_the_order_of_the_pipeline(world, tested):
    """B-4, P-1: each gate once per step, what it says, where the task waits; people's words and CI among the evidence."""
    doc = world.call("gates", tested, user="orch_readonly")[0]["gates"]
    results = [(g["gate"], g["result"]) for g in doc["gates"]]
    assert results[:7] == [("artefacts_analyst", "pass"), ("analysis_approved", "pass"), ("architecture_done", "pass"), ("work_left", "pass"),
                           ("ci_green", "pass"), ("review_approved", "pass"), ("tests_passed", "pass")]
    assert ("coverage_kept", "skipped") in results and ("deploy_ok", "wait") in results
    assert [g["gate"] for g in doc["gates"] if g["now"]] == ["staging_ok"]
    [person] = gate(world, tested, "analysis_approved")["evidence"]
    assert (person["source"], person["value"], person["by"], person["counts"]) == ("person", "approved", "orch_operator", True)
    ci = gate(world, tested, "ci_green")["evidence"]
    assert [(e["source"], e["value"]) for e in ci] == [("command", "success")]
    assert gate(world, tested, "work_left")["evidence"][0]["by"] == "developer"


def test_a_red_status_of_an_earlier_head_stays_in_the_ledger(world):
    """B-4, P-1: it is about another commit; only the head's counts."""
    item = world.item()
    world.work(until="development", item=item)
    world.succeed(world.claim())
    world.succeed(world.claim(), "failure")
    world.succeed(world.claim())
    world.succeed(world.claim())
    assert world.task(item)["stage"] == "review"
    assert [(e["value"], e["standing"]) for e in gate(world, item, "ci_green")["evidence"]] == \
        [("success", "counts"), ("failure", "void: it is about another commit")]


def test_a_cancelled_item_keeps_its_ledger(world, tested):
    """B-4, C-3: by the name that people use."""
    world.operate("cancel", tested, None)
    doc = world.call("gates", tested, user="orch_readonly")[0]["gates"]
    assert doc["stage"] == "cancelled" and any(g["evidence"] for g in doc["gates"])


# --- staging waivers ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("status, failed, waivers, stage, said", [
    ("SUCCESS", [], "", "deploy", None),
    ("FAILED", [], "smoke-dns", "development", "FAILED"),
    ("FAILED", ["smoke-dns"], "", "development", "checks failed in staging: smoke-dns"),
    ("FAILED", ["smoke-dns"], "smoke-dns smoke-mail", "deploy", "failed, and waived: smoke-dns"),
    ("SUCCESS", ["smoke-dns"], "smoke-dns", "deploy", "failed, and waived: smoke-dns"),
    ("SUCCESS", ["smoke-dns"], "", "development", "checks failed in staging: smoke-dns"),
    ("FAILED", ["smoke-dns", "login"], "smoke-dns", "development", "checks failed in staging: login; waived: smoke-dns"),
    ("FAILED", ["smoke-dn"], "smoke-dns", "development", "checks failed in staging: smoke-dn"),
    ("FAILED", ["SMOKE-DNS"], "smoke-dns", "development", "checks failed in staging: SMOKE-DNS"),
])
def test_staging_waivers(world, tested, status, failed, waivers, stage, said):
    """M-7: failures that are all waived pass and are reported; one that is not fails, whatever the status says."""
    world.operate("project_set", "demo", "staging_waivers", waivers)
    world.finish(world.claim(), evidence=[{"gate": "staging_ok", "value": status, "file": "15-staging-log.md", "detail": {"failed_checks": failed}}])
    if stage == "deploy":
        world.succeed(world.until("integrator"))
    assert world.task(tested)["stage"] == stage
    if stage == "deploy" and said:
        assert gate(world, tested, "staging_ok")["reason"] == said
        reason = world.db.value("select detail ->> 'reason' from orch.history where kind = 'stage' and to_stage = 'deploy'")
        assert said in reason, "the history says that it was waived"
    elif said:
        assert said in world.claim()["input"]
