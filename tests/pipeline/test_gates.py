"""Gates and their evidence, from outside: real runs, real commits, and what orchctl says of them."""

from support.pipeline import STAGES, Pipeline


def test_a_projects_own_sub_gates(suite, project, agents):
    """M-6: coverage and image run in their places, on the head of the branch; red sends back with the output."""
    line = Pipeline(suite, project)
    suite.orchctl("command", "set", project.name, "coverage",
                  'test "$(cat src/*.txt | wc -l)" -ge 2 || { echo "covered: 1 of 2"; exit 1; }')
    suite.orchctl("command", "set", project.name, "image", 'test "$ORCH_ROLE" = image')
    agents.set("developer", 'mkdir -p src\ncp "$ORCH_TASK_FILE" why.md\necho line >>src/x.txt\n')
    item = line.item()
    line.pass_human_gates(item)
    assert line.stages(item) == STAGES[:6] + ["development", "review", "testing"] + STAGES[6:]
    assert "covered: 1 of 2" in project.read("why.md")
    found = line.db.query("select gate, value, source, sha from orch.evidence where source = 'command' order by id")
    assert [(e["gate"], e["value"]) for e in found] == [("coverage_kept", "fail"), ("coverage_kept", "pass"), ("image_fresh", "pass")]
    assert all(len(e["sha"]) == 40 for e in found)
