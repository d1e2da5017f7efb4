"""The picture of the pipeline in docs/ARCHITECTURE.md is that of the rows (P-1)."""

import re

from support.paths import source

STEP = re.compile(r"^  (?P<stage>[a-z-]+|   [│║]) +(?P<who>a person|[a-z]+)(?P<own> \*)? +(?P<gate>[a-z]+_[a-z_]+)(?P<back> ─+[┤┘])?(?: +│)?$")


def test_the_picture_of_the_pipeline(world):
    text = source("docs/ARCHITECTURE.md").read_text().split("## The pipeline")[1].split("\n## ")[0]
    stages = world.db.column("select key from orch.stage order by position")
    drawn, leased, stage = [], set(), None
    for line in text.split("```")[1].splitlines():
        stage = next((one for one in stages if re.match(rf"  {one}( |$)", line)), stage)
        if "║" in line and not line.startswith("  ║"):
            leased.add(stage)
        if step := STEP.match(line):
            drawn.append((stage, step["who"], step["gate"], bool(step["back"]), bool(step["own"])))
    assert drawn == [tuple(row.values()) for row in world.db.query("""
        select s.stage, coalesce(s.role, 'a person') as who, s.gate, coalesce(s.on_fail = 'development', false) as back, s.command is not null as own
        from orch.stage_step s join orch.stage t on t.key = s.stage order by t.position, s.seq""")]
    assert leased == set(world.db.column("select key from orch.stage where keeps_merge_lease"))
    assert [one for one in stages if one != "cancelled"] == re.findall(rf"^  ({'|'.join(stages)})(?: |$)", text.split("```")[1], re.MULTILINE)
