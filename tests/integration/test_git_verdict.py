"""What a commit proves: verdicts and artefacts (P-4, P-4a)."""

import os

import pytest

from support.pieces import DOCS


REVIEW = f"{DOCS}/12-review.md"


def review(host, text, epoch=1):
    run = host.run(role="reviewer", stage="review", epoch=epoch)
    run.write(REVIEW, text)
    return run.verdict(run.commit().sha)


@pytest.mark.parametrize("text, value", [
    ("---\nverdict: APPROVED\n---\n", "APPROVED"),
    ("---\nverdict: REQUEST_CHANGES\n---\n# Why\n", "REQUEST_CHANGES"),
    ("\ufeff---\r\nverdict: \"APPROVED\"\r\nnotes: [a, b]\r\n---\r\nProse.\r\n", "APPROVED"),
    ("---\nverdict: 'APPROVED' # by me\n---", "APPROVED"),
])
def test_verdicts_that_count(host, text, value):
    """P-4"""
    answer = review(host, text)
    assert answer.outcome == "ok"
    gate, said, path, blob = answer.evidence[0].split(" ")
    assert (gate, said, path) == ("review_approved", value, REVIEW) and len(blob) == 40


@pytest.mark.parametrize("text", [
    "verdict: APPROVED\n",
    "I think this is fine. verdict: APPROVED\n",
    "# Review\n\n---\nverdict: APPROVED\n---\n",
    "---\nverdict: approved\n---\n",
    "---\nverdict: APPROVED, I suppose\n---\n",
    "---\nverdict: [APPROVED]\n---\n",
    "---\nverdict:\n---\n",
    "---\nresult: APPROVED\n---\n",
    "---\nverdict: REQUEST_CHANGES\nverdict: APPROVED\n---\n",
    "---\nverdict: &a APPROVED\n---\n",
    "---\nverdict: !!str APPROVED\n---\n",
    "---\nverdict: APPROVED\n",
    "---\nverdict: APPROVED\nhead: 0000000000000000000000000000000000000000\n---\n",
    "---\nverdict: APPROVED\nhead: ''\n---\n",
    "---\n" + "x: y\n" * 20000 + "verdict: APPROVED\n---\n",
    "---\nAPPROVED\n---\n",
    b"---\nverdict: APPROVED\nnote: \xff\n---\n",
    "",
])
def test_verdicts_that_do_not_count(host, text):
    """P-4: prose never counts, and what is not there is never a pass."""
    answer = review(host, text)
    assert answer.outcome == "absent" and not answer.evidence and answer.error


def test_a_verdict_that_names_what_it_judged(host, project):
    """The whole name of the commit, or its first digits."""
    head = project.head()
    for epoch, name in enumerate((head, head[:12], f"'{head[:7]}'"), 1):
        assert review(host, f"---\nverdict: APPROVED\nhead: {name}\n---\n", epoch).outcome == "ok"


def test_a_symbolic_link_is_no_verdict(host, folder):
    outside = folder / "verdict.md"
    outside.write_text("---\nverdict: APPROVED\n---\n")
    run = host.run(role="reviewer", stage="review")
    (run.tree / DOCS).mkdir(parents=True)
    os.symlink(outside, run.tree / REVIEW)
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "absent" and "not an ordinary file" in answer.error


def test_the_verdict_is_read_from_the_commit_not_from_the_tree(host):
    run = host.run(role="reviewer", stage="review")
    path = run.write(REVIEW, "---\nverdict: REQUEST_CHANGES\n---\n")
    sha = run.commit().sha
    path.write_text("---\nverdict: APPROVED\n---\n")
    assert run.verdict(sha).evidence[0].split(" ")[1] == "REQUEST_CHANGES"


def test_staging_and_deploy_have_a_file_each(host):
    for epoch, (role, stage, name, key, gate) in enumerate((
            ("deployer", "deploy-staging", "15-staging-log.md", "staging_status", "staging_ok"),
            ("finalizer", "deploy", "14-deploy-log.md", "deploy_status", "deploy_ok")), 1):
        run = host.run(role=role, stage=stage, epoch=epoch)
        run.write(f"{DOCS}/{name}", f"---\n{key}: SUCCESS\nhook_exit_code: 0\n---\n")
        assert run.verdict(run.commit().sha).evidence[0].startswith(f"{gate} SUCCESS ")


def test_artefacts_of_the_analyst(host):
    """P-4a"""
    names = ["01-brd.md", "02-trz.md", "03-acceptance-criteria.md", "04-test-plan.yaml"]
    run = host.run(role="analyst", stage="analysis")
    for name in names[:3]:
        run.write(f"{DOCS}/{name}")
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "absent" and "04-test-plan.yaml" in answer.error
    run.write(f"{DOCS}/{names[3]}", "")
    assert "is empty" in run.verdict(run.commit().sha).error
    run.write(f"{DOCS}/{names[3]}", "cases: []\n")
    answer = run.verdict(run.commit().sha)
    assert [e.split(" ")[:3] for e in answer.evidence] == \
        [["artefacts_analyst", "present", f"{DOCS}/{name}"] for name in names]


@pytest.mark.parametrize("name, outcome", [
    ("06-adr/ADR-001-first.md", "ok"), ("06-adr/README.md", "absent"), ("ADR-001-first.md", "absent"),
    ("06-adr/sub/ADR-001-first.md", "absent"),
])
def test_artefacts_of_the_architect(host, name, outcome):
    """P-4a"""
    run = host.run(role="architect", stage="architecture")
    run.write(f"{DOCS}/{name}")
    assert run.verdict(run.commit().sha).outcome == outcome
