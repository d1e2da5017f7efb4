"""What an agent can see and use: secrets are planted in the daemons' environment, files and database, and looked for from
inside an agent (J-2, J-9)."""

import shutil

import pytest

from support.claude import Claude
from support.pipeline import Pipeline
from support.suite import SECRETS

CANARY = "C4n4ry"

# Says where it finds the canary. The word is put together here, so that this script is no place of it.
LOOK = """
set +e
w=C4n; w=${w}4ry; me=$(mktemp); cd "$ORCH_DOCS_DIR/../../.."
look() { grep -rlsaI --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev -e "$w" "$@" </dev/null; }
{
        env | grep -q "$w" && echo environment
        tr '\\0' '\\n' </proc/$PPID/environ | grep -q "$w" && echo "environment of the parent"
        tr '\\0' '\\n' </proc/$PPID/cmdline | grep -q "$w" && echo "words of the parent"
        for fd in /proc/self/fd/*; do case $(readlink $fd) in *socket*|*.secret*|*.conf*) echo "descriptor $fd";; esac; done
        look . "$HOME" "$TMPDIR" "$ORCH_TASK_FILE"
        EVERYWHERE
        echo done
} >"$me" 2>/dev/null
for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md 04-test-plan.yaml; do cp "$me" "$docs/$f"; done
"""
EVERYWHERE = """
        for p in /proc/[0-9]*; do tr '\\0' '\\n' <$p/environ | grep -q "$w" && echo "environment of $p"; done
        look /etc /home /opt /root /run /srv /tmp /var /work
        for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline; echo; done | grep -E "orch-(shim|workerd|supervisor|webhookd) " && echo "processes of ours"
"""
BWRAP = ("bwrap --unshare-pid --unshare-ipc --die-with-parent --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib"
         " --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --dir /etc --bind {agents} {agents} --bind %t %t"
         " --bind %h %h --bind %T %T --ro-bind %f %f --chdir %t --")


@pytest.fixture
def planted(make_suite, project, agents, folder):
    """A line whose suite has secrets everywhere that a secret can be."""
    def plant(look, **options):
        agents.set("analyst", look)
        suite = make_suite(**options)
        for name in ("PGPASSWORD", "GITEA_TOKEN", "ANTHROPIC_ADMIN_KEY", "ORCH_SECRET"):
            suite.env[name] = CANARY
        for path in (folder / "canary", suite.folder / "canary.secret", suite.folder / "state" / "canary", suite.folder / "suite.conf"):
            path.write_text(CANARY)
        (suite.folder / "gitea.secret").write_text(f"{SECRETS['gitea']}\n{CANARY}-a-secret-that-is-long-enough\n")
        line = Pipeline(suite.start(), project)
        line.db.query("update orch.setting_row set about = about || %s", CANARY)
        return line
    return plant


def found(line, project):
    item = line.item()
    line.wait_shown(item, "in_review", timeout=60)
    return project.read(f"docs/work-items/{item}/01-brd.md", line.task(item)["branch"]).splitlines()


def test_no_secret_within_reach(planted, project):
    """J-2: neither environment, words, descriptors nor files of a run have anything of ours in them."""
    assert found(planted(LOOK.replace("EVERYWHERE", "")), project) == ["done"]


def test_the_canary_sings(planted, project):
    """The test itself: what is given to the agent by name is found."""
    assert found(planted(LOOK.replace("EVERYWHERE", ""), agent_env="ANTHROPIC_ADMIN_KEY"), project) == \
        ["environment", "environment of the parent", "done"]



@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
def test_behind_a_wrapper_there_is_nothing_else(planted, project, agents):
    """J-2: with bubblewrap as the wrapper no file, process or environment of the suite can be seen at all."""
    line = planted(LOOK.replace("EVERYWHERE", EVERYWHERE), agent_wrapper=BWRAP.format(agents=agents.folder))
    assert found(line, project) == ["done"]


@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
def test_claude_behind_a_wrapper(make_suite, project, folder):
    """J-2, J-7: events, session and end are as without; its children die with it."""
    claude = Claude(folder / "claude", "if call == 1:\n    init(); answer(); sys.exit(3)\nescaped(); good()")
    wrapper = BWRAP.format(agents=claude.folder.parent)
    line = Pipeline(make_suite(**claude.options(), agent_wrapper=wrapper).start(), project, job_backoff_s=0)
    item = line.item()
    line.wait_shown(item, "in_review", timeout=60)
    runs = line.runs(item, "analyst")
    assert [r["outcome"] for r in runs] == ["failed", "success"] and float(runs[1]["cost_usd"]) == 0.25
    assert claude.calls()[1]["resumed"] == claude.calls()[0]["session"]
    assert not line.suite.shims()


@pytest.mark.parametrize("wrapper, why", [("no-such-wrapper %t", "no-such-wrapper")])
def test_a_wrapper_that_is_not_there(make_suite, project, agents, wrapper, why):
    """J-5: costs no attempt, and why says so."""
    line = Pipeline(make_suite(agent_wrapper=wrapper).start(), project)
    item = line.item()
    line.wait(lambda: why in line.suite.orchctl("why", item).stdout)
    assert line.jobs(item)[0]["attempts"] == 0


def test_limits_of_processes(make_suite, project, agents):
    """J-2: the options of the limits are the agent's limits; the shim's own log is not bound by them."""
    agents.set("analyst", 'for f in 01-brd.md 02-trz.md 03-acceptance-criteria.md 04-test-plan.yaml; do'
                          ' echo "$(ulimit -t) $(ulimit -v) $(ulimit -f) $(ulimit -n)" >"$docs/$f"; done\n')
    line = Pipeline(make_suite(agent_max_cpu="90s", agent_max_memory="64GiB", agent_max_file="1GiB", agent_max_open_files=77).start(), project)
    item = line.item()
    line.wait_shown(item, "in_review")
    assert project.read(f"docs/work-items/{item}/01-brd.md", line.task(item)["branch"]).split() == ["90", str(64 << 20), str(1 << 20), "77"]
