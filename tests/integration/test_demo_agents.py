"""The demo's agents alone: each is run by hand in a checkout, the way workerd would (variables, task file, commit)."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from support.paths import source
from support.project import GIT_ENV

DEMO = source("deploy/demo")
ROLES = ("analyst", "architect", "developer", "reviewer", "tester", "deployer")


class Item:
    """One work item on its branch of a checkout."""

    def __init__(self, checkout, name, text, folder):
        self.checkout, self.name, self.folder = checkout, name, folder
        self.title, self.text = text.split("\n", 1)[0], text
        self.docs = f"docs/work-items/{name}"
        self.git("checkout", "--quiet", "-b", f"feature/{name}", "main")
        self.base = self.git("rev-parse", "HEAD").strip()
        self.env = {
            **GIT_ENV, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent",
            "ORCH_WORK_ITEM": name, "ORCH_TITLE": self.title, "ORCH_DOCS_DIR": self.docs, "ORCH_BASE_SHA": self.base,
            "ORCH_DEFAULT_BRANCH": "main", "ORCH_TEST_COMMAND": "./check", "ORCH_ATTEMPT": "1",
            "ORCH_TASK_FILE": str(folder / "task.md"),
            "DEMO_STAGING_DIR": str(folder / "staging"), "DEMO_PRODUCTION_DIR": str(folder / "production"),
        }

    def git(self, *args):
        return subprocess.run(["git", *args], cwd=self.checkout, env={**os.environ, **GIT_ENV}, check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def run(self, role, stage="", ok=True):
        """Runs an agent; what it left is committed as the orchestrator would."""
        (self.folder / "task.md").write_text(f"# You are the {role}\n\n{self.text}\n")
        done = subprocess.run([DEMO / "agents" / role], cwd=self.checkout, text=True, stdin=subprocess.DEVNULL,
                              env={**self.env, "ORCH_ROLE": role, "ORCH_STAGE": stage}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        if ok:
            self.commit(role)
        return done

    def production(self, command, code=0):
        """One of the project's own commands, as the releaser and the finalizer would run it."""
        done = subprocess.run([DEMO / "production", command], cwd=self.checkout, text=True, stdin=subprocess.DEVNULL, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        assert done.returncode == code, done.stdout
        return done.stdout.strip()

    def commit(self, role):
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", role)

    def run_until(self, last):
        for role in ROLES[:ROLES.index(last) + 1]:
            self.run(role, "deploy-staging" if role == "deployer" else "")

    def merge(self):
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "-m", f"Merge {self.name}", f"feature/{self.name}")

    def read(self, name):
        return (self.checkout / self.docs / name).read_text()

    def changed(self):
        """Files of the last commit."""
        return self.git("show", "--name-only", "--format=", "HEAD").split()


@pytest.fixture
def checkout(folder):
    path = folder / "checkout"
    shutil.copytree(DEMO / "repo", path, ignore=shutil.ignore_patterns("__pycache__"))
    for args in (["init", "--quiet", "-b", "main"], ["add", "-A"], ["commit", "--quiet", "-m", "Start"]):
        subprocess.run(["git", *args], cwd=path, env={**os.environ, **GIT_ENV}, check=True)
    return path


@pytest.fixture
def make_item(checkout, folder):
    numbers = iter(range(1, 100))
    return lambda text: Item(checkout, f"DEMO-{next(numbers)}", text, folder)


def planned(number):
    return sorted((DEMO / "items").glob("*.md"))[number].read_text()


def next_items(checkout, folder, count):
    done = subprocess.run([DEMO / "next-items", checkout / ".git", folder / "next", str(count)], check=True, text=True,
                          stdout=subprocess.PIPE)
    return [pathlib.Path(line).read_text() for line in done.stdout.splitlines()]


def production(item, expression):
    done = subprocess.run(["/usr/bin/python3", "-c", f"import units; print({expression})"], cwd="/", text=True, check=True,
                          env={"PYTHONPATH": str(item.folder / "production/current"), "PYTHONDONTWRITEBYTECODE": "1"},
                          stdout=subprocess.PIPE)
    return done.stdout.strip()


def test_each_role_leaves_what_it_owes_and_nothing_else(make_item):
    """P-4, P-4a: the artefacts and verdicts of every role, with the values the gates read."""
    item = make_item(planned(0))
    docs = item.docs
    item.run("analyst")
    assert item.changed() == [f"{docs}/01-brd.md", f"{docs}/02-trz.md", f"{docs}/03-acceptance-criteria.md",
                              f"{docs}/04-test-plan.yaml"]
    assert "makes: parse_size\nuses: format_size\n" in item.read("02-trz.md")
    item.run("architect")
    assert item.changed() == [f"{docs}/06-adr/ADR-001-read-sizes-such-as-1-5-mib.md"]
    output = item.run("developer").stdout
    assert "fails, as it should" in output and "passes, and so does ./check" in output
    assert item.changed() == ["CHANGELOG.md", "tests/test_parse_size.py", "units/__init__.py", "units/size.py"]
    item.run("reviewer")
    assert item.changed() == [f"{docs}/12-review.md"]
    assert item.read("12-review.md").startswith("---\nverdict: APPROVED\n")
    item.run("tester")
    assert item.changed() == [f"{docs}/13-test-report.md"]
    assert item.read("13-test-report.md").startswith("---\nresult: PASS\n") and "tests: 9\ntests_failed: 0\ncases: 3\n" in \
        item.read("13-test-report.md")
    item.run("deployer", "deploy-staging")
    assert item.changed() == [f"{docs}/15-staging-log.md"]
    assert item.read("15-staging-log.md").startswith("---\nstaging_status: SUCCESS\n")
    assert "production: runs releases/" in item.production("deploy")
    assert item.production("check") == item.git("rev-parse", "HEAD").strip()
    item.production("probe")
    assert production(item, "units.parse_size('2 KiB')") == "2048"


def test_the_second_item_builds_on_the_merged_code_of_the_first(make_item):
    """P-8: without the first one's code in its branch the second could not be made."""
    first = make_item(planned(0))
    first.run_until("deployer")
    early = make_item(planned(1))
    early.run("analyst")
    assert "makes: parse_size total_size\n" in early.read("02-trz.md")
    first.merge()
    second = make_item(planned(1))
    second.run_until("deployer")
    second.production("deploy")
    assert "makes: total_size\nuses: format_size parse_size\n" in second.read("02-trz.md")
    assert production(second, "units.total_size(['1 KiB', '1 KiB'])") == "2 KiB"


def test_the_catalogue_never_runs_out(make_item, checkout, folder):
    """Four runs of the quickstart: the planned items, then releases without end."""
    titles = []
    for _ in range(4):
        for text in next_items(checkout, folder, 2):
            item = make_item(text)
            titles.append(item.title)
            item.run_until("deployer")
            item.production("deploy")
            item.merge()
    assert titles == ["Read sizes such as 1.5 MiB", "Add up sizes written as text", "Read durations such as 1h 30m",
                      "Say how much a transfer moves", "Release 0.2.0", "Begin version 0.3.0.dev0", "Release 0.3.0",
                      "Begin version 0.4.0.dev0"]
    assert production(item, "units.__version__") == "0.4.0.dev0"
    assert not next(checkout.glob("**/*.pyc"), None)


def change(item, path, old, new):
    file = item.checkout / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def remove_test(item):
    item.git("rm", "--quiet", "tests/test_parse_size.py")


def break_code(item):
    change(item, "units/size.py", "return int(float(number) * prefixes[unit])", "return int(float(number)) * prefixes[unit]")


def forget_changelog(item):
    item.git("checkout", "main", "CHANGELOG.md")


def leave_breakpoint(item):
    change(item, "units/size.py", "    number, _, unit", "    if text == 'x': breakpoint()\n    number, _, unit")


def touch_the_checks(item):
    change(item, "check", "exec python3", "exec env python3")


@pytest.mark.parametrize("spoil, reason", [
    (remove_test, "does not hold: a change of the code comes with a change of the tests"),
    (break_code, "does not hold: `./check` passes"),
    (forget_changelog, "does not hold: CHANGELOG.md says what is new"),
    (leave_breakpoint, "does not hold: no debugging aids"),
    (touch_the_checks, "does not hold: nothing outside the library"),
])
def test_the_reviewer_refuses(make_item, spoil, reason):
    item = make_item(planned(0))
    item.run_until("developer")
    spoil(item)
    item.commit("spoil")
    item.run("reviewer")
    review = item.read("12-review.md")
    assert review.startswith("---\nverdict: REQUEST_CHANGES\n") and review.count("does not hold") == 1 and reason in review


def test_a_developer_in_a_hurry_puts_one_thing_right_at_a_time(make_item):
    """P-5: the item of the full demo that fails its review twice."""
    item = make_item(planned(0).replace("Acceptance:", "Be quick.\n\nAcceptance:"))
    item.run_until("architect")
    verdicts = []
    for _ in range(3):
        item.run("developer")
        item.run("reviewer")
        review = item.read("12-review.md")
        verdicts.append((review.split("\n")[1], review.count("does not hold")))
    assert verdicts == [("verdict: REQUEST_CHANGES", 2), ("verdict: REQUEST_CHANGES", 1), ("verdict: APPROVED", 0)]
    assert "breakpoint" not in (item.checkout / "units/size.py").read_text()


def test_a_developer_does_not_guess_what_a_review_means(make_item):
    item = make_item(planned(0))
    item.run_until("developer")
    touch_the_checks(item)
    item.commit("spoil")
    item.run("reviewer")
    assert "do not know how to put right: nothing outside" in item.run("developer", ok=False).stderr


def test_the_probe_reads_the_settings_of_production(make_item):
    """M-5: what the full demo degrades by: the release is as planned, and production has what it refuses."""
    item = make_item(planned(2))
    item.run_until("deployer")
    item.production("deploy")
    (item.folder / "production/settings").write_text("retry = 90s\nkeep_logs = 30m 1h\n")
    assert "refuses the setting 'keep_logs = 30m 1h'" in item.production("probe", code=1)
    (item.folder / "production/settings").write_text("keep_logs = 1h 30m\n")
    item.production("probe")


def test_the_reviewer_refuses_a_branch_without_work(make_item):
    item = make_item(planned(0))
    item.run_until("architect")
    item.run("reviewer")
    assert "verdict: REQUEST_CHANGES" in item.read("12-review.md")


def test_the_tester_fails_what_does_not_keep_the_plan(make_item):
    """The suite is green, but the plan's case is not met."""
    item = make_item(planned(0))
    item.run_until("developer")
    change(item, f"{item.docs}/04-test-plan.yaml", '"1572864"', '"1572865"')
    item.run("tester")
    assert item.read("13-test-report.md").startswith("---\nresult: FAIL\n") and "cases_failed: 1" in item.read("13-test-report.md")


def test_the_tester_fails_a_broken_suite(make_item):
    item = make_item(planned(0))
    item.run_until("developer")
    break_code(item)
    item.run("tester")
    report = item.read("13-test-report.md")
    assert report.startswith("---\nresult: FAIL\n") and "tests_failed: 1" in report


def test_a_bad_release_is_switched_back(make_item):
    good = make_item(planned(0))
    good.run_until("deployer")
    good.production("deploy")
    running = os.readlink(good.folder / "production/current")
    good.merge()
    bad = make_item(planned(1))
    bad.run_until("developer")
    change(bad, "units/size.py", "return format_size(sum(", "return str(sum(")
    bad.commit("spoil")
    bad.production("deploy", code=1)
    assert os.readlink(bad.folder / "production/current") == running
    assert production(bad, "units.parse_size('1 B')") == "1"


@pytest.mark.parametrize("text, asked", [
    ("Parse 1h30m\n\nunits.duration should know minutes\n", "What is to hold when it is done?"),
    ("A title\n\n- `units.format_size(1)` gives `'1 B'`\n", "The code has all that the item mentions (format_size): what else?"),
])
def test_the_analyst_asks_what_a_script_cannot_know(make_item, text, asked):
    """P-9: what is asked counts, each time anew; what it names as an answer is one."""
    item = make_item(text)
    for times in (1, 2):
        item.run("analyst")
        question = item.read("05-questions.md")
        assert question.startswith(f"---\nstatus: NEEDS_INPUT\nasked: {times}\n---\n\n{asked}\n")
        item.text = f"{text}\nYou asked:\n\n{question}\n"
    answer = re.search(r'orchctl answer DEMO-1 "\$\(cat (.+)\)"', question).group(1)
    item.text += f"\nThe answer of somebody:\n\n{pathlib.Path(answer).read_text()}"
    item.run("analyst")
    assert "makes: parse_duration\n" in item.read("02-trz.md")


@pytest.mark.parametrize("role, until, text, why", [
    ("architect", None, planned(0), "02-trz.md is missing"),
    ("developer", "analyst", planned(0), "there is no ADR"),
    ("developer", "architect", planned(0).replace("parse_size", "parse_weight"), "I am a script and cannot write parse_weight"),
    ("developer", "developer", planned(0), "parse_size is there already"),
    ("tester", "architect", planned(0).replace("parse_size", "no_such"), None),
    ("deployer", "developer", planned(0), "there is nothing to deploy in stage review"),
], ids=lambda value: value.split("\n")[0].replace(" ", "-") if value else "")
def test_a_failure_is_explained(make_item, role, until, text, why):
    """Agents that cannot do their work say why on stderr and exit with another status than 0."""
    item = make_item(text)
    if until is not None:
        item.run_until(until)
    if why is None:
        item.run(role)
        assert "result: FAIL" in item.read("13-test-report.md")
        return
    done = item.run(role, "review", ok=False)
    assert done.returncode == 1 and why in done.stderr and done.stderr.startswith(f"{role}: ")
    assert item.git("status", "--porcelain") == ""


def test_a_rollback_is_the_release_before(make_item):
    """M-5"""
    first = make_item(planned(0))
    first.run_until("deployer")
    first.production("deploy")
    running = first.production("check")
    first.merge()
    second = make_item(planned(1))
    second.run_until("deployer")
    second.production("deploy")
    assert second.production("check") != running
    second.production("rollback")
    assert second.production("check") == running


def test_the_folder_that_is_missing_is_named(make_item):
    item = make_item(planned(0))
    item.run_until("developer")
    del item.env["DEMO_PRODUCTION_DIR"]
    assert "DEMO_PRODUCTION_DIR is not set" in item.production("deploy", code=1)
