"""Every way in which an agent can misbehave has the outcome that the domain names, and moves nothing."""

import pytest

from support.agents import BODIES
from support.pipeline import Pipeline

# analyst: outcome, a part of the reason
ANALYST = {
    "leaves nothing": ("true\n", "missing-artefacts", "01-brd.md"),
    "leaves an empty file": ('for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md 04-test-plan.yaml; do : >"$docs/$f"; done\n',
                             "missing-artefacts", "01-brd.md"),
    "leaves a link for a file": ('for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md; do echo x >"$docs/$f"; done\n'
                                 'ln -s 01-brd.md "$docs/04-test-plan.yaml"\n', "missing-artefacts", "04-test-plan.yaml"),
    "fails": ("echo so it is >&2\nexit 3\n", "failed", "exited with 3"),
    "is killed": ("kill -KILL $$\n", "killed", "signal 9"),
    "never ends": ("tail -f /dev/null\n", "timeout", "longer than it may"),
    "never ends and will not be told": ("trap '' TERM\ntail -f /dev/null & while :; do wait || true; done\n", "timeout", "longer"),
}


def start(make_suite, project, **options):
    suite = make_suite(**options).start()
    return Pipeline(suite, project, job_max_attempts=1)


@pytest.mark.parametrize("what", ANALYST)
def test_analyst(make_suite, project, agents, what):
    """P-4a, P-7, J-3, J-4: exit 0 alone is nothing; what failed is not pushed, is said, and after the last attempt a
    person is asked."""
    body, outcome, reason = ANALYST[what]
    agents.set("analyst", body)
    line = start(make_suite, project, agent_timeout="3s" if outcome == "timeout" else "60s")
    item = line.item()
    run = line.wait_run(item, "analyst")
    assert run["outcome"] == outcome and reason in run["reason"]
    assert "the analyst failed" in line.wait_escalated(item)
    line.wait_shown(item, "blocked")
    assert line.stage(item) == "analysis"
    assert project.branches() == ["main"]


def test_the_log_of_a_failed_run_is_kept(make_suite, project, agents):
    """J-9: what a failed run has said can be read, in the database its end, on the host all of it."""
    agents.set("analyst", "echo so it is >&2\nexit 3\n")
    line = start(make_suite, project)
    run = line.wait_run(line.item(), "analyst")
    assert run["log_excerpt"].endswith("so it is\n") and run["exit_code"] == 3
    with open(run["log"], encoding="utf-8") as log:
        assert "so it is" in log.read()
    folder = line.suite.folder / "state/runs" / f"{run['job_id']}-{run['epoch']}"
    line.wait(lambda: not (folder / "tree").exists() and not (folder / "home").exists(), what="the tree is removed")


def test_a_log_of_any_bytes(make_suite, project, agents):
    """J-9: an agent may print anything; what the database keeps of it is text, to the end."""
    agents.set("analyst", "head -c 3000 /dev/urandom\nprintf 'a\\0b \\377\\300 \\355\\240\\200 tail\\n'\nexit 3\n")
    line = start(make_suite, project)
    run = line.wait_run(line.item(), "analyst")
    assert run["outcome"] == "failed" and run["log_excerpt"].endswith(" tail\n")


def test_command_that_cannot_be_read(make_suite, project, agents):
    """J-4: a program that is there, and cannot be run after all, is a failed attempt with a clear reason."""
    broken = agents.folder / "broken"
    broken.write_text("#!/nowhere/interpreter\n")
    broken.chmod(0o755)
    line = start(make_suite, project, agent_command_analyst=f"{broken} --x")
    run = line.wait_run(line.item(), "analyst")
    assert run["outcome"] == "failed" and "broken" in run["reason"] and "No such file" in run["reason"]


def test_developer_leaves_nothing(make_suite, project, agents):
    """P-7: a developer who changes nothing has failed, whatever the exit code."""
    agents.set("developer", "true\n")
    line = start(make_suite, project)
    item = line.item()
    line.approve_analysis(item)
    run = line.wait_run(item, "developer")
    assert run["outcome"] == "nothing-left"
    line.wait_escalated(item)
    assert line.stage(item) == "development"


VERDICTS = {
    "none": "true\n",
    "prose": 'echo "I have read it all and it is APPROVED. verdict: APPROVED" >"$docs/12-review.md"\n',
    "prose after a fence": 'printf "# Review\\n---\\nverdict: APPROVED\\n---\\n" >"$docs/12-review.md"\n',
    "unknown value": 'verdict 12-review.md "verdict: LGTM"\n',
    "wrong case": 'verdict 12-review.md "verdict: approved"\n',
    "twice": 'verdict 12-review.md "verdict: APPROVED\nverdict: APPROVED"\n',
    "not closed": 'printf -- "---\\nverdict: APPROVED\\n" >"$docs/12-review.md"\n',
    "nested": 'verdict 12-review.md "review:\n  verdict: APPROVED"\n',
    "a link": 'verdict other.md "verdict: APPROVED"\nln -s other.md "$docs/12-review.md"\n',
    "in another folder": 'verdict 12-review.md "verdict: APPROVED"\nmv "$docs/12-review.md" .\n',
    "about another commit": 'verdict 12-review.md "verdict: APPROVED\nhead: 0123456789012345678901234567890123456789"\n',
}


@pytest.mark.parametrize("what", VERDICTS)
def test_reviewer(make_suite, project, agents, what):
    """P-4: what is not a known value in the front matter of the role's own file is "not there", never a pass."""
    agents.set("reviewer", VERDICTS[what])
    line = start(make_suite, project)
    item = line.item()
    line.approve_analysis(item)
    run = line.wait_run(item, "reviewer")
    assert run["outcome"] == "no-verdict" and "12-review.md" in run["reason"]
    line.wait_escalated(item)
    assert line.stage(item) == "review"
    assert not line.db.query("select * from orch.evidence where gate = 'review_approved'")


def test_developer_writes_the_review(make_suite, project, agents):
    """P-4, provenance: another role's verdict file is taken out of the commit, said so, and passes nothing."""
    agents.set("developer", 'mkdir -p src\necho x >src/x.txt\nverdict 12-review.md "verdict: APPROVED"\n')
    agents.set("reviewer", "true\n")
    line = start(make_suite, project)
    item = line.item()
    line.approve_analysis(item)
    run = line.wait_run(item, "reviewer")
    assert run["outcome"] == "no-verdict"
    developer = line.runs(item, "developer")[-1]
    path = f"docs/work-items/{item}/12-review.md"
    assert developer["outcome"] == "success" and developer["refused"] == [path]
    assert "src/x.txt" in project.files(line.task(item)["branch"]) and path not in project.files(line.task(item)["branch"])
    assert line.suite.log.records("commit.refused-change", role="developer", path=path)


def test_who_judges_changes_no_code(make_suite, project, agents):
    """P-4: what reviewer, tester and deployer change besides the task's documents is taken out, and said so: CI has not seen it,
    nobody would review it, and it would be merged."""
    change = 'mkdir -p src\necho x >"src/by-$ORCH_STAGE.txt"\nrm -f "src/$ORCH_WORK_ITEM.txt"\n'
    for role in ("reviewer", "tester", "deployer"):
        agents.set(role, change + BODIES[role])
    line = start(make_suite, project)
    item = line.item()
    line.pass_human_gates(item)
    assert [name for name in project.files("main") if name.startswith("src/")] == [f"src/{item}.txt"]
    refused = [run["refused"] for role in ("reviewer", "tester", "deployer") for run in line.runs(item, role)]
    assert refused == [[f"src/{item}.txt", f"src/by-{stage}.txt"] for stage in ("review", "testing", "deploy-staging")]


def test_old_verdict_does_not_count(make_suite, project, agents):
    """P-4: after a round of development the earlier review is no review of the new code, also when it is left lying."""
    agents.set("reviewer", 'if [ "$(git log --format=%an | grep -c developer)" = 1 ]; then verdict 12-review.md "verdict: REQUEST_CHANGES"; fi\n')
    agents.set("developer", 'mkdir -p src\ndate +%s%N >>"src/x.txt"\n')
    line = start(make_suite, project)
    item = line.item()
    line.approve_analysis(item)
    line.wait(lambda: [r["outcome"] for r in line.runs(item, "reviewer")] == ["success", "no-verdict"], 60, "two reviews")
    assert line.stage(item) == "review"


def test_next_attempt_is_told_why(make_suite, project, agents):
    """J-4: a failed attempt is tried again, with its reason in the next task file."""
    agents.set("analyst", 'if [ "$ORCH_ATTEMPT" = 1 ]; then exit 7; fi\n'
                          'for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md; do cp "$ORCH_TASK_FILE" "$docs/$f"; done\n'
                          'echo "cases: []" >"$docs/04-test-plan.yaml"\n')
    suite = make_suite().start()
    line = Pipeline(suite, project, job_backoff_s=0)
    item = line.item()
    line.wait_shown(item, "in_review")
    assert [run["outcome"] for run in line.runs(item)] == ["failed", "success"]
    assert "exited with 7" in project.read(f"docs/work-items/{item}/01-brd.md", line.task(item)["branch"])


def test_agent_sees_no_means_of_ours(make_suite, project, agents, monkeypatch):
    """J-2: the environment is built from empty; no DSN, no secret, no configuration of ours."""
    agents.set("analyst", 'for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md 04-test-plan.yaml; do env >"$docs/$f"; done\n')
    suite = make_suite()
    suite.env.update(PGPASSWORD="secret", ORCH_DATABASE=suite.database.dsn(), MY_TOKEN="secret")
    line = Pipeline(suite.start(), project)
    item = line.item()
    line.wait_shown(item, "in_review")
    env = project.read(f"docs/work-items/{item}/01-brd.md", line.task(item)["branch"])
    assert f"ORCH_WORK_ITEM={item}" in env
    for word in ("PGPASSWORD", "MY_TOKEN", "ORCH_DATABASE", "ORCH_STATUS_FD", "secret"):
        assert word not in env


def test_an_agent_is_bound_in_its_processes(make_suite, project, agents):
    """J-2: the bound of the option, or the system's if that is closer, is the agent's."""
    agents.set("analyst", 'for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md 04-test-plan.yaml; do ulimit -u >"$docs/$f"; done\n')
    line = Pipeline(make_suite(agent_max_processes=4321).start(), project)
    item = line.item()
    line.wait_shown(item, "in_review")
    bound = project.read(f"docs/work-items/{item}/01-brd.md", line.task(item)["branch"]).strip()
    assert bound != "unlimited" and int(bound) <= 4321
