"""What people are asked, what agents are told, and who hears of what: whole suites, real agents."""

from support.agents import BODIES
from support.pipeline import Pipeline

ASKS = """\
if grep -q "in bytes" "$ORCH_TASK_FILE"; then
cp "$ORCH_TASK_FILE" "$docs/01-brd.md"
for f in 02-trz.md 03-acceptance-criteria.md; do echo "# $ORCH_TITLE" >"$docs/$f"; done
echo "cases: []" >"$docs/04-test-plan.yaml"
else
printf -- '---\\nstatus: NEEDS_INPUT\\n---\\n\\n1. Which unit?\\n' >"$docs/05-questions.md"
fi
"""


def test_the_analyst_asks_and_is_answered(suite, project, agents):
    """P-9, P-4a: Needs Input with the questions as a comment; the answer is in the next task file; what was asked before asks nothing more."""
    line = Pipeline(suite, project)
    agents.set("analyst", ASKS)
    item = line.item()
    line.wait_shown(item, "needs_input")
    line.wait(lambda: any("1. Which unit?" in c for c in line.comments(item)))
    assert len(line.comments(item)) == 1
    assert "asked" in suite.orchctl("why", item).stdout
    suite.orchctl("answer", item, "in bytes; always")
    line.wait_shown(item, "in_review")
    told = project.read(f"docs/work-items/{item}/01-brd.md", ref=line.task(item)["branch"])
    assert "## Why you run now" in told and "1. Which unit?" in told and "in bytes; always" in told
    assert "Waits for people" in suite.orchctl("item", "show", item).stdout
    assert [run["outcome"] for run in line.runs(item, "analyst")] == ["success", "success"]


def test_the_answer_by_the_board(suite, project, agents):
    """P-9: To Analyse with a comment is an answer, too."""
    line = Pipeline(suite, project)
    agents.set("analyst", ASKS)
    item = line.item()
    line.wait_shown(item, "needs_input")
    line.move(item, "to_analyse", "in bytes")
    line.wait_shown(item, "in_review")
    assert line.db.value("select answer from orch.question") == "in bytes"


def test_the_developer_is_told_what_failed(suite, project, agents):
    """P-5, J-4: the end of the log of the red check, and the digest of what failed before, fenced as data."""
    line = Pipeline(suite, project, job_backoff_s=0)
    line.db.query("""update orch.project set test_command = 'test ! -e red || { echo "not ok 7 - leap years"; echo "\\`\\`\\`"; exit 1; }'""")
    agents.set("developer", """\
if grep -q "^not ok 7" "$ORCH_TASK_FILE"; then cp "$ORCH_TASK_FILE" why.md; rm red
elif [ "$ORCH_ATTEMPT" = 1 ]; then echo "no such unit"; exit 3
else touch red; fi
""")
    item = line.item()
    line.pass_human_gates(item)
    why = project.read("why.md")
    assert "## The end of the log of what failed\n\n````text\nnot ok 7 - leap years\n```\n````\n" in why
    digest = why.split("## What has failed so far\n\n")[1]
    assert "developer: failed, in development: the agent exited with 3" in digest and "ci_green: failed" in digest
    assert line.task(item)["developer_rounds"] == 1


def test_labels_pass_the_gates(suite, project):
    """P-11: with the project's consent an item with both labels is done without a person; another one waits."""
    line = Pipeline(suite, project)
    suite.orchctl("project", "set", project.name, "auto_approve", "on")
    suite.orchctl("project", "set", project.name, "auto_deploy", "on")
    item = suite.orchctl("item", "create", project.name, "A thing", "--label", "auto-approve").stdout.strip()
    line.wait_shown(item, "awaiting_deploy", timeout=120)
    suite.orchctl("item", "label", item, "auto-deploy")
    line.wait_stage(item, "done", timeout=120)
    found = line.db.query("select gate, detail ->> 'label' as label from orch.evidence where source = 'label' order by id")
    assert [(e["gate"], e["label"]) for e in found] == [("analysis_approved", "auto-approve"), ("deploy_confirmed", "auto-deploy")]


def test_an_escalation_is_heard_of_until_it_is_acknowledged(make_suite, project, agents):
    """P-5: Blocked and one alert; repeated twice while nobody acknowledges it, then silence; ack ends that, retry the escalation."""
    agents.set("architect", "exit 3\n")
    suite = make_suite().start()
    line = Pipeline(suite, project, job_max_attempts=1, serial_gate_enabled="off")
    heard, loud = line.item("A thing that is heard of"), line.item("A loud thing")

    def alerts(item):
        return line.db.column("select payload ->> 'text' from orch.effect where kind = 'alert' and status = 'done' and payload ->> 'work_item' = %s order by id", item)
    for item in (heard, loud):
        line.approve_analysis(item)
        line.wait_escalated(item)
        line.wait_shown(item, "blocked")
    suite.orchctl("ack", heard)
    line.setting("escalation_reraise_s", 1)
    line.wait(lambda: len(alerts(loud)) == 3, what="the alert is repeated twice")
    mark = suite.log.mark()
    assert "orchctl ack" in alerts(loud)[1] and loud in suite.orchctl("escalation", "list").stdout
    agents.set("architect", BODIES["architect"])
    suite.orchctl("retry", loud)
    line.wait(lambda: "development" in line.stages(loud), 60)
    assert (len(alerts(heard)), len(alerts(loud))) == (1, 3)
    assert not suite.log.records("reconcile.raised-again", mark)
