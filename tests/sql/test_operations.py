"""docs/operations.md is a part of the product (O-3): every statement in it runs, as whom it is for, and answers what stands there.

ORCH_WRITE_DOCS=1 writes the answers into the document instead of comparing them."""

import os
import re
import subprocess

import pytest

from support.paths import source
from world import fake_sha

DOCUMENT = source("docs/operations.md")
# A block of statements, for whom it is, and the answer below it. Indented blocks belong to a list.
BLOCK = re.compile(r"^(?P<indent> *)```sql(?: (?P<role>\w+))?\n(?P<sql>.*?)^ *```\n(?:\n```text\n(?P<answer>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
ROLES = {None: "orch_readonly", "operator": "orch_operator", "superuser": "orch"}


def prepare(world):
    """The small installation that the document speaks of."""
    for repo, prefix in (("shop", "SHOP"), ("web", "WEB"), ("api", "API")):
        world.add_project(repo, prefix)
    world.item("Parse 1h30m")
    world.work(until="done", item="DEMO-1")
    web = world.item("A page for prices", project="web")
    world.succeed(world.claim())
    world.item("Say what is wrong", project="api")
    failing = world.claim()
    assert failing["work_item"] == "API-1"
    world.call("job_started", failing["job_id"], failing["epoch"], failing["token"], 4711, "/var/lib/orchestrator/log/api-1-1.log", fake_sha(), None)
    fail(world, failing)
    world.item("Know minutes")
    running = world.claim()
    world.call("job_started", running["job_id"], running["epoch"], running["token"], 4712, "/var/lib/orchestrator/log/demo-2-1.log", fake_sha(), None)
    world.item("Print minutes")
    world.operate("dependency_add", "DEMO-3", "DEMO-2")
    world.item("Sell more", project="shop")
    world.item("Sell cheaper", project="shop")
    world.operate("pause", "SHOP-1", "after the holidays")
    world.operate("freeze", "shop", "main is red", None)
    world.operate("limit_set", "role", "developer", 1)
    world.set("starvation_s", "1800")
    world.db.query("""update orch.run set cost_usd = 0.42 where job_id in (select id from orch.job where role = 'developer');
                      insert into orch.effect (port, kind, object_key, idempotency_key, payload, status, attempts, detail, ended_at)
                      values ('tracker', 'comment', 'item:1', 'k', '{}', 'dead', 1000, 'http 403: the token may not comment', now());
                      set session_replication_role = replica;
                      update orch.state_change set at = at - interval '3 hours';
                      reset session_replication_role""")
    assert web == "WEB-1" and world.task("API-1")["escalated_at"]


def fail(world, job):
    """Until it is given up."""
    while True:
        world.finish(job, "failed", exit_code=1, reason="the provider refused the key")
        if world.task(job["work_item"])["escalated_at"]:
            return
        world.db.query("update orch.job set run_at = now() where status = 'queued'")
        job = world.claim()


def psql(database, role, sql):
    done = subprocess.run(["psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet", "--dbname", database.dsn(ROLES[role])], input=sql, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", f"{sql}{done.stderr}"
    return re.sub(r" +$", "", done.stdout, flags=re.MULTILINE).rstrip("\n") + "\n" if done.stdout.strip() else ""


def answered(database, text):
    """The document with the answers that it gets now."""
    def answer(block):
        if block["role"] == "superuser":  # for the cluster: tried, not done
            psql(database, "superuser", f"begin;\n{block['sql']}\nrollback;")
            return block.group()
        said = psql(database, block["role"], block["sql"])
        fence = f"```sql{' ' + block['role'] if block['role'] else ''}\n{block['sql']}```\n"
        return fence + (f"\n```text\n{said}```\n" if said else "")

    return BLOCK.sub(answer, text)


def comparable(text):
    """Without times, numbers and the widths that they make."""
    text = re.sub(r"\d[\d:. +T-]*\d(?:Z|\b)|\d", "0", text)
    return [re.sub(r"-{2,}", "-", re.sub(r"[ \t]+", " ", line)).strip() for line in text.splitlines()]


def test_every_statement_runs_and_answers_what_stands_there(world):
    """O-3: columns, rows and reasons as a reader of the document was told."""
    text = DOCUMENT.read_text()
    prepare(world)
    now = answered(world.db, text)
    if os.environ.get("ORCH_WRITE_DOCS"):
        DOCUMENT.write_text(now)
        pytest.skip("written")
    assert comparable(text) == comparable(now)


def test_each_question_has_its_command():
    """O-3: ten questions, each with statements and the command that says the same."""
    sections = re.split(r"^### ", DOCUMENT.read_text(), flags=re.MULTILINE)
    questions = {section.split("\n", 1)[0]: section for section in sections if re.match(r"\d+\. ", section)}
    assert [int(title.split(".")[0]) for title in questions] == list(range(1, 11))
    for title, section in questions.items():
        assert "```sql" in section and "`orchctl " in section, title
