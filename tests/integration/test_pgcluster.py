"""deploy/pgcluster: private, repeatable, and careful with what is not its own."""

import os
import signal
import subprocess

import psycopg2
import pytest

from support.cluster import Cluster
from support.paths import source


@pytest.fixture
def own_cluster(no_leaks):
    cluster = Cluster()
    yield cluster
    cluster.remove()


def pgcluster(*args):
    return subprocess.run([source("deploy/pgcluster"), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120)


def test_commands_can_be_repeated(own_cluster):
    for command in ("init", "start", "start", "createdb", "createdb", "status", "stop", "stop"):
        done = pgcluster(command, own_cluster.folder)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert pgcluster("status", own_cluster.folder).returncode == 3


def test_dsn_connects_and_the_cluster_is_as_promised(own_cluster):
    own_cluster.start()
    pgcluster("createdb", own_cluster.folder)
    dsn = pgcluster("dsn", own_cluster.folder).stdout
    connection = psycopg2.connect(dsn + " user=orch")
    with connection, connection.cursor() as cursor:
        for setting, value in {"data_checksums": "on", "listen_addresses": "", "fsync": "off"}.items():
            cursor.execute(f"show {setting}")
            assert cursor.fetchone() == (value,), setting
    connection.close()


def test_only_roles_of_the_suite_may_connect(own_cluster):
    own_cluster.start()
    own_cluster.execute("create role stranger superuser login")
    own_cluster.execute("create role orch_operator login")
    psycopg2.connect(own_cluster.dsn("postgres", "orch_operator")).close()
    with pytest.raises(psycopg2.OperationalError, match="Peer authentication failed"):
        psycopg2.connect(own_cluster.dsn("postgres", "stranger"))


def test_root_follows_no_link_of_the_server(own_cluster, folder):
    """Whoever has become the server's user, by COPY TO PROGRAM say, does not get root to write a file elsewhere."""
    pgcluster("--volatile", "init", own_cluster.folder)
    victim = folder / "victim"
    victim.write_text("untouched")
    for name in ("orchestrator.conf", "orchestrator_hba.conf", "orchestrator_ident.conf"):
        (own_cluster.folder / "data" / name).unlink(missing_ok=True)
        (own_cluster.folder / "data" / name).symlink_to(victim)
    done = pgcluster("start", own_cluster.folder)
    assert victim.read_text() == "untouched"
    assert done.returncode == 0, done.stderr


def test_starts_again_after_its_postmaster_was_killed(own_cluster):
    own_cluster.start()
    for _ in range(3):
        os.kill(own_cluster.postmaster_pid(), signal.SIGKILL)
        own_cluster.start()
        own_cluster.execute("select")


def test_an_interrupted_init_is_made_anew(own_cluster):
    (own_cluster.folder / "data").rename(own_cluster.folder / "data.new")
    assert pgcluster("start", own_cluster.folder).returncode == 1
    assert pgcluster("init", own_cluster.folder).returncode == 0
    own_cluster.start()


def test_foreign_folders_are_refused(folder):
    (folder / "precious").write_text("x")
    done = pgcluster("init", folder)
    assert done.returncode == 1 and "not ours" in done.stderr
    for command in ("start", "stop", "status", "dsn", "createdb"):
        done = pgcluster(command, folder)
        assert done.returncode == 1 and "no cluster of ours" in done.stderr, command
    assert [path.name for path in folder.iterdir()] == ["precious"]


@pytest.mark.parametrize("name, complaint", [("a" * 100, "107"), ("a,b", "comma"), ("a'b", "quote")])
def test_names_that_no_socket_can_have_are_refused(folder, name, complaint):
    done = pgcluster("init", folder / name)
    assert done.returncode == 1 and complaint in done.stderr
    assert not list((folder / name).iterdir())


def test_a_parent_outside_of_the_state_folder_is_left_alone(folder):
    if os.geteuid() != 0:
        pytest.skip("only root's server runs as another user")
    closed, state = folder / "closed", folder / "closed/state"
    state.mkdir(parents=True, mode=0o700)
    folder.chmod(0o711)
    closed.chmod(0o700)
    done = pgcluster("--state", state, "init", state / "pg")
    assert done.returncode == 1 and str(closed) in done.stderr
    assert closed.stat().st_mode & 0o777 == 0o700
    done = pgcluster("--state", closed, "init", state / "pg")
    assert done.returncode == 0 and f"chmod o+x {closed}" in done.stderr
    assert closed.stat().st_mode & 0o777 == 0o701


@pytest.mark.parametrize("args", [(), ("init",), ("frobnicate", "x"), ("--what", "init", "x"), ("stop", "x", "y", "z")])
def test_usage(args):
    done = pgcluster(*args)
    assert done.returncode == 2 and "pgcluster" in done.stderr
