"""The orchestrator carries an item whose deploy command replaces that very orchestrator in its middle (M-3, J-8, B-5): the item
ends in done, with one deploy, carried there by the new one."""

import os
import signal

import pytest

from support.paths import BUILD, SANITIZER_ENV
from support.pipeline import Pipeline

EXPORTS = "".join(f"export {key}='{value}'\n" for key, value in SANITIZER_ENV.items())

UPGRADE = """\
set -eu
echo "$ORCH_HEAD_SHA" >>{starts}
export ORCH_CONFIG={config}
{build}/orchctl upgrade
"""

# Another folder with programs and a configuration of its own; the old one leaves in order, then the new one starts.
REPLACE = """\
set -eu
echo "$ORCH_HEAD_SHA" >>{starts}
mkdir {new}
find {build} -maxdepth 1 -type f -name 'orch*' -exec cp -t {new} {{}} +
sed 's|^bin_dir = .*|bin_dir = {new}|' {config} >{new}/orchestrator.conf
kill -TERM "$(cat {state}/supervisor.pid)"
flock {state}/supervisor.pid true # it has left
setsid {new}/orch-supervisor --config {new}/orchestrator.conf >>{log} 2>&1 </dev/null &
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}' 2>/dev/null; do sleep 0.1; done # lasts
"""


@pytest.fixture
def host(make_suite, project, folder):
    """A suite, and a project whose deploy command is a script of the test."""
    suite = make_suite(workerd_count=2, upgrade_timeout="60s", drain_timeout="30s").start()
    line = Pipeline(suite, project)
    starts = folder / "starts"

    def deploys_by(script):
        path = folder / "deploy.sh"
        path.write_text(EXPORTS + script.format(starts=starts, config=suite.config, build=BUILD, new=folder / "new", log=suite.log.path,
                                                state=suite.folder / "state", port=suite.status.port))
        line.command("deploy", f"bash {path}")
        item = line.item()
        line.approve_analysis(item)
        line.wait_shown(item, "awaiting_deploy")
        line.approve(item)
        return item
    return suite, line, starts, deploys_by


def check(line, starts, item):
    assert starts.read_text().splitlines() == [line.db.value("select sha from orch.deploy_record")]
    assert line.db.value("select status from orch.deploy_record") == "SUCCESS"
    assert "deploy_status: SUCCESS" in line.project.read(f"docs/work-items/{item}/14-deploy-log.md")
    line.check_commits(item)


def test_deployed_by_an_upgrade(host):
    """M-3, B-5: `orchctl upgrade` as the deploy command: other workers than those that began it see its end."""
    suite, line, starts, deploys_by = host
    before = set(suite.pids("workerd"))
    item = deploys_by(UPGRADE)
    line.wait_stage(item, "done", timeout=180)
    check(line, starts, item)
    suite.log.wait("upgrade.done")
    assert not before & set(suite.pids("workerd"))


def test_deployed_by_its_successor(host, folder):
    """M-3, J-8: the deploy command stops the orchestrator and starts another one from another folder."""
    suite, line, starts, deploys_by = host
    item = deploys_by(REPLACE)
    suite.wait_for(lambda: suite.process.poll() is not None, 120, "the old supervisor has left")
    assert suite.process.returncode == 0
    suite.process = None
    line.wait_stage(item, "done", timeout=180)
    check(line, starts, item)
    pid = int((suite.folder / "state/supervisor.pid").read_text())
    assert os.readlink(f"/proc/{pid}/exe") == str((folder / "new/orch-supervisor").resolve())
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    suite.check_sanitizers()
