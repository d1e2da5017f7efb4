"""A project whose forge is a Gitea server goes through the whole pipeline: whole daemons, a simulated server, real git over HTTP."""

import base64
import json
import subprocess
import urllib.request

import pytest

from sim.bare import ENVIRONMENT
from sim.gitea import Gitea
from support.agents import BODIES
from support.pipeline import STAGES, Pipeline
from support.project import Project
from support.suite import SECRETS

TOKEN = "a1b2c3d4-token-of-the-forge"


class GiteaProject(Project):
    """A Project whose repository is one of the simulated server."""

    def __init__(self, folder, gitea, **options):
        self.forge = gitea
        self.repo = gitea.add_repo("acme", "demo")
        super().__init__(folder, **options)
        subprocess.run(["git", "-C", str(self.work), "push", "-q", str(self.repo.bare.path), "main"], check=True, env=ENVIRONMENT)
        subprocess.run(["git", "-C", str(self.work), "remote", "set-url", "origin", str(self.repo.bare.path)], check=True, env=ENVIRONMENT)
        self.bare = self.repo.bare.path

    def pulls(self):
        return list(self.repo.pulls.values())

    def merges(self):
        return [entry for entry in self.forge.journal.since(0) if entry["kind"] == "merge"]

    def faults(self, *rules):
        self.forge.faults.set(list(rules))


@pytest.fixture
def forge(folder):
    gitea = Gitea(folder / "gitea").start()
    gitea.add_token(TOKEN)
    yield gitea
    gitea.stop()


@pytest.fixture
def token(folder):
    path = folder / "forge.token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def project(folder, forge):
    return GiteaProject(folder / "work", forge)


@pytest.fixture
def suite(forge, make_suite):
    return make_suite(http_plain_hosts=f"127.0.0.1:{forge.port}").start()


@pytest.fixture
def line(suite, project, forge, token):
    line = Pipeline(suite, project, job_backoff_s=0, endpoint_backoff_s=1, effect_backoff_s=1)
    line.db.query("select orch.endpoint_set('forge', 'gitea', %s, %s)", forge.url, str(token), user="orch_operator")
    line.db.query("select orch.project_connect(%s, 'forge', 'forge', 'acme/demo')", project.name, user="orch_operator")
    return line


SECRETS_OF_IT = [TOKEN, base64.b64encode(f"orchestrator:{TOKEN}".encode()).decode()]


def check_no_secret(suite, line, folder, token):
    """I-1: the token is in its own file, and otherwise in what git and HTTP clients were told, which is gone."""
    places = [str(path) for path in folder.iterdir() if path != token and path.name not in ("gitea", "pg")]
    for secret in SECRETS_OF_IT:
        found = subprocess.run(["grep", "-rlaF", secret, *places], stdout=subprocess.PIPE, text=True, check=False).stdout
        assert not found, f"in {found}"
        for table in line.db.column("select tablename from pg_tables where schemaname = 'orch'"):
            assert not line.db.value(f"select count(*) from orch.{table} t where t::text like %s", f"%{secret}%"), f"in orch.{table}"


def test_an_item_becomes_one_pull_request_and_one_merge(line, project, suite, agents, folder, token):
    """I-1, I-7, M-4, P-7: fetched, pushed, shown and merged at the server, once each, although it loses answers at every step and fails
    now and then; the token is nowhere to be seen, by an agent neither."""
    agents.set("developer", 'env >"$docs/environment.txt"; cat .git/config >>"$docs/environment.txt"\n' + BODIES["developer"])
    project.faults({"fault": "drop-after", "match": "POST .*receive-pack", "times": 2}, {"fault": "error-before", "match": "GET .*info/refs", "skip": 5, "times": 2},
                   {"fault": "drop-after", "match": "POST .*/pulls$", "times": 1}, {"fault": "error-after", "match": "POST .*/merge", "times": 1},
                   {"fault": "drop-before", "match": "GET .*/pulls", "skip": 1, "times": 1})
    item = line.item()
    line.pass_human_gates(item)
    assert line.stages(item) == STAGES
    assert [(pull["merged"], pull["base"], pull["head"]) for pull in project.pulls()] == [(True, "main", line.task(item)["branch"])]
    merge, = project.merges()
    assert merge["sha"] == project.head() and f"src/{item}.txt" in project.files()
    line.check_commits(item)
    assert line.db.column("select status from orch.effect where kind = 'ensure_pull'") == ["done"]
    assert all(job["attempts"] == 1 and job["transients"] == 0 for job in line.jobs(item)), "an outage has used up tries"
    check_no_secret(suite, line, folder, token)
    seen = project.read(f"docs/work-items/{item}/environment.txt")
    assert "ORCH_WORK_ITEM" in seen and not any(secret in seen for secret in SECRETS_OF_IT) and project.forge.url not in seen


def test_a_push_that_came_through_at_last_is_an_answer(line, project):
    """I-7: the forge is away once and then takes the push: it answers, and nobody waits for it, whatever was said before."""
    project.faults({"fault": "error-before", "match": "POST .*receive-pack", "times": 1})
    item = line.item()
    line.wait_shown(item, "in_review")
    circuit = [(row["to"], row["reason"]) for row in line.db.query("select detail ->> 'to' as to, detail ->> 'reason' as reason from orch.history where kind = 'circuit' order by id")]
    assert circuit[0][0] == "down" and circuit[-1] == ("ok", None), circuit
    assert not [reason for _, reason in circuit if reason and reason.startswith("pushed to")], circuit


def test_a_token_that_is_revoked_in_the_middle(line, project, suite, gate, forge, token):
    """I-7: the work of an agent that ends meanwhile is kept, people are told once and clearly, nothing new begins; a good token in the file is
    found without a restart, and what was done is pushed. C-3: an item that is stopped leaves neither branch nor open pull request."""
    gate.hold("developer")
    item = line.item()
    line.approve_analysis(item)
    line.wait_running(item, "developer")
    forge.tokens.clear()
    gate.open()
    line.wait(lambda: line.db.value("select state from orch.endpoint") == "denied", 30, "the endpoint is denied")
    other = line.item("Another thing")
    line.setting("serial_gate_enabled", "off")
    line.wait(lambda: line.db.column("select distinct axis from orch.job_block where axis = 'forge'"), 30, "others wait for the forge")
    alerts = line.db.column("select payload ->> 'text' from orch.effect where kind = 'alert' and payload ->> 'text' like '%token%'")
    assert len(alerts) == 1 and str(token) in alerts[0]
    forge.add_token("another-token")
    token.write_text("another-token\n")
    line.wait_stage(item, "review", "testing", "deploy-staging", "deploy", timeout=90)
    assert len(line.runs(item, "developer")) == 1 and line.runs(item, "developer")[0]["outcome"] == "success"
    line.wait_run(other, "analyst")
    assert line.db.value("select state from orch.endpoint") == "ok"
    assert all(job["transients"] == 0 for job in [*line.jobs(item), *line.jobs(other)])
    branch = line.task(other)["branch"]
    line.wait(lambda: [pull["state"] for pull in project.pulls() if pull["head"] == branch] == ["open"], 30, "its pull request is there")
    line.cancel(other)
    line.wait(lambda: branch not in project.branches(), 30, "the branch of the item that was stopped is gone")
    line.wait(lambda: [pull["state"] for pull in project.pulls() if pull["head"] == branch] == ["closed"], 30, "the server has closed its pull request")
    assert "main" in project.branches()


def test_a_token_that_may_only_read(line, project, gate, forge, token):
    """I-7: the agent's work is kept and pushed, and the pull request made, once a token that has the right is in the file, without a restart;
    people are told once of each thing, and what the token may do goes on."""
    gate.hold("developer")
    item = line.item()
    line.approve_analysis(item)
    line.wait_running(item, "developer")
    forge.tokens[TOKEN]["read_only"] = True
    line.setting("serial_gate_enabled", "off")
    gate.open()
    told = "select payload ->> 'text' from orch.effect where kind = 'alert' and payload ->> 'text' like '%does not let our token%' order by id"
    line.wait(lambda: len(line.db.column(told)) >= 1, 60, "people are told of the push")
    other = line.item("Another thing")
    line.wait(lambda: line.task(other) and [run for run in line.runs(other, "analyst") if run["pid"]], 60, "another item is fetched and begun")
    assert line.db.value("select state from orch.endpoint") == "ok"
    assert len(line.db.column(told)) == len(set(line.db.column(told))) and all(str(token) in text for text in line.db.column(told))
    forge.add_token("another-token")
    token.write_text("another-token\n")
    line.wait_stage(item, "review", "testing", "deploy-staging", "deploy", timeout=90)
    assert [run["outcome"] for run in line.runs(item, "developer")] == ["success"]
    assert all(job["transients"] == 0 for job in [*line.jobs(item), *line.jobs(other)])
    line.wait(lambda: set(line.db.column("select status from orch.effect where kind = 'ensure_pull'")) == {"done"}, 60, "the pull requests are there")


def hook(suite, project):
    """What onboarding installs at the server."""
    body = {"type": "gitea", "active": True, "events": ["push", "pull_request", "status"], "config": {"url": f"http://127.0.0.1:{suite.public.port}/webhook/gitea",
                                                                                                     "content_type": "json", "secret": SECRETS["gitea"]}}
    request = urllib.request.Request(f"{project.forge.url}/api/v1/repos/acme/demo/hooks", json.dumps(body).encode(), {"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201


def test_the_forge_tests_the_branch(line, project, suite, agents):
    """P-1, P-5, I-4: red goes back to the developer with what failed, green goes on; no worker runs a test for it, and no status at all is
    no green. M-4: a push to the default branch that comes between our last look and the merge lands with what nobody has tested: frozen."""
    hook(suite, project)
    line.db.query("select orch.project_set(%s, 'ci', 'forge')", project.name, user="orch_operator")
    agents.set("developer", 'cp "$ORCH_TASK_FILE" "$docs/told.md"\n' + BODIES["developer"])
    item = line.item()
    line.approve_analysis(item)
    line.wait(lambda: line.db.value("select count(*) from orch.task where work_item = %s and stage = 'development' and not exists"
                                    " (select from orch.job j where j.task_id = task.id and j.active) and stage_version = (select stage_version from orch.job"
                                    " where role = 'developer' and status = 'done')", item), 60, "the developer has pushed")
    assert line.db.value("select (orch.gate_result(t, 'ci_green')).result from orch.task t") == "wait"
    project.forge.set_status(project.repo, line.task(item)["head_sha"], "ci / check (push)", "failure", "two tests fail")
    project.repo.ci_command = f"grep -q 'attempt 1' src/{item}.txt && test $(wc -l <src/{item}.txt) = 2"
    line.wait_stage(item, "review", "testing", "deploy-staging", "deploy", timeout=90)
    told = project.read(f"docs/work-items/{item}/told.md", line.task(item)["branch"])
    assert "ci / check (push): two tests fail" in told
    assert not line.jobs(item, role="ci")
    assert line.db.column("select state from orch.commit_status order by id")[-2:] == ["pending", "success"]
    line.wait_shown(item, "awaiting_deploy", 60)
    merge_now = project.forge.merge_now

    def a_moment_too_late(*args):
        project.forge.merge_now = merge_now
        project.commit({"other.txt": "x\n"}, "A person pushes")
        return merge_now(*args)
    project.forge.merge_now = a_moment_too_late
    line.approve(item)
    reason, = line.wait(lambda: line.db.column("select reason from orch.repo_freeze where cleared_at is null"), 60, "the repo is frozen")
    assert "does not match" in reason and len(project.merges()) == 1 and line.stage(item) == "deploy"
