"""What a commit proves: verdicts and artefacts (P-4, P-4a)."""

import json
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
    ("---\nverdict: APPROVED\nreviewed: {by: me, files: [a, {b: c}]}\n---\n", "APPROVED"),
    ("---\nverdict: APPROVED\n---\n" + "verdict: REQUEST_CHANGES\n" * 450000, "APPROVED"),  # 10 MiB, of which little is read
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
    "---\nverdict: {APPROVED: true}\n---\n",
    "---\nverdict: 1\n---\n",
    "---\nverdict: |\n  APPROVED\n  I think\n---\n",
    "---\nreview: {verdict: APPROVED}\n---\n",
    "---\n%YAML 1.1\n--- \nverdict: APPROVED\n---\n",
    "---\nbase: &b {verdict: APPROVED}\n<<: *b\n---\n",
    "\n---\nverdict: APPROVED\n---\n",
    " ---\nverdict: APPROVED\n---\n",
    "---\r\nVERDICT: APPROVED\r\n---\r\n",
    "\ufeff\ufeff---\nverdict: APPROVED\n---\n",
    "---\nverdict: APPROVED\nx: \"" + "y" * 70000 + "\"\n---\n",
    "---\n" + "z" * 10485760,
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


@pytest.mark.parametrize("make", [
    lambda tree, outside: os.symlink(outside, tree / DOCS),
    lambda tree, outside: (tree / REVIEW / "verdict").mkdir(parents=True) or (tree / REVIEW / "verdict/a.md").write_text("---\nverdict: APPROVED\n---\n"),
], ids=["the folder is a link", "the file is a folder"])
def test_what_stands_in_its_place_is_no_verdict(host, folder, make):
    """P-4: nothing is followed, out of the tree or within it. A path with `..` cannot be in a commit at all."""
    outside = folder / "elsewhere"
    outside.mkdir()
    (outside / "12-review.md").write_text("---\nverdict: APPROVED\n---\n")
    run = host.run(role="reviewer", stage="review")
    (run.tree / DOCS).parent.mkdir(parents=True, exist_ok=True)
    make(run.tree, outside)
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "absent" and not answer.evidence


@pytest.mark.parametrize("listed, failed", [
    ("", None), ("failed_checks: []\n", None), ("failed_checks:\n", None), ("failed_checks: [smoke-dns, login]\n", ["smoke-dns", "login"]),
    ("failed_checks: smoke-dns, login\n", ["smoke-dns", "login"]), ("failed_checks:\n- smoke-dns\n", ["smoke-dns"])])
def test_the_failed_checks_of_staging(host, listed, failed):
    """M-7: kept beside the status."""
    run = host.run(role="deployer", stage="deploy-staging")
    run.write(f"{DOCS}/15-staging-log.md", f"---\nstaging_status: FAILED\n{listed}---\n")
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "ok" and json.loads(answer.detail).get("failed_checks") == failed


@pytest.mark.parametrize("listed", ["{smoke-dns: true}", "[[smoke-dns]]", "[{id: smoke-dns}]", "[&a smoke-dns]"])
def test_a_list_that_is_none_is_no_verdict(host, listed):
    """M-7: a failure that cannot be read is not passed over, whatever the status says."""
    run = host.run(role="deployer", stage="deploy-staging")
    run.write(f"{DOCS}/15-staging-log.md", f"---\nstaging_status: SUCCESS\nfailed_checks: {listed}\n---\n")
    assert run.verdict(run.commit().sha).outcome == "absent"


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


QUESTIONS = f"{DOCS}/05-questions.md"
ASKS = "---\nstatus: NEEDS_INPUT\n---\n\n1. Which unit?\n2. Since when?\n"


def analysis(host, text, epoch=1, files=()):
    run = host.run(role="analyst", stage="analysis", epoch=epoch)
    for name in files:
        run.write(f"{DOCS}/{name}", f"of run {epoch}\n")
    run.write(QUESTIONS, text)
    return run


def test_the_analyst_asks(host):
    """P-9, P-4a: questions with their front matter are what the run has left; its documents need not be there."""
    run = analysis(host, ASKS)
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "ok" and answer.evidence[0].split(" ")[:3] == ["artefacts_analyst", "NEEDS_INPUT", QUESTIONS]
    assert len(answer.evidence) == 1 and answer.text == "1. Which unit?"  # the first line; the probe prints the rest below


@pytest.mark.parametrize("text", [
    "status: NEEDS_INPUT\n\nWhich unit?\n", "---\nstatus: needs_input\n---\nWhich unit?\n", "---\nstatus: NEEDS_INPUT\n---\n",
    "---\nstatus: NEEDS_INPUT\n---\n \n\n", "---\nstatus: DONE\n---\nWhich unit?\n", "---\nstatus: NEEDS_INPUT\nstatus: NEEDS_INPUT\n---\nQ\n",
    "---\nstatus: [NEEDS_INPUT]\n---\nQ\n", "NEEDS_INPUT", b"---\nstatus: NEEDS_INPUT\nx: \xff\n---\nQ\n",
])
def test_what_asks_nothing(host, text):
    """P-4, P-4a: prose, other words and an empty question are no question: without the documents the attempt has failed, with them it has not."""
    run = analysis(host, text)
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "absent" and "01-brd.md" in answer.error
    run = analysis(host, text, epoch=2, files=["01-brd.md", "02-trz.md", "03-acceptance-criteria.md", "04-test-plan.yaml"])
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "ok" and {e.split(" ")[1] for e in answer.evidence} == {"present"}


def test_questions_that_were_there_before_ask_nothing(host):
    """P-9: they were answered; asked anew they are in another file's content."""
    sha = analysis(host, ASKS).finish()
    run = host.run(role="analyst", stage="analysis", epoch=2, head_sha=sha)
    run.write(f"{DOCS}/01-brd.md")
    answer = run.verdict(run.commit().sha)
    assert answer.outcome == "absent" and "02-trz.md" in answer.error
    run.write(QUESTIONS, ASKS + "3. For whom?\n")
    assert run.verdict(run.commit().sha).evidence[0].split(" ")[1] == "NEEDS_INPUT"


def test_a_symbolic_link_asks_nothing(host, folder):
    """P-4"""
    outside = folder / "questions.md"
    outside.write_text(ASKS)
    run = host.run(role="analyst", stage="analysis")
    (run.tree / DOCS).mkdir(parents=True)
    os.symlink(outside, run.tree / QUESTIONS)
    assert run.verdict(run.commit().sha).outcome == "absent"


def test_nobody_else_can_ask(host):
    """P-9: an architect's questions are taken out of its commit, and would count for nothing."""
    run = host.run(role="architect", stage="architecture")
    run.write(QUESTIONS, ASKS)
    committed = run.commit()
    assert committed.refused == [QUESTIONS] and run.verdict(committed.sha).outcome == "absent"


@pytest.mark.parametrize("name, outcome", [
    ("06-adr/ADR-001-first.md", "ok"), ("06-adr/README.md", "absent"), ("ADR-001-first.md", "absent"),
    ("06-adr/sub/ADR-001-first.md", "absent"),
])
def test_artefacts_of_the_architect(host, name, outcome):
    """P-4a"""
    run = host.run(role="architect", stage="architecture")
    run.write(f"{DOCS}/{name}")
    assert run.verdict(run.commit().sha).outcome == outcome
