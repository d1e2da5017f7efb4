"""Fixtures of all tests that need processes. See support/ for what they are made of."""

import os
import pathlib
import shutil
import signal
import tempfile

import pytest

pytest.register_assert_rewrite("support")  # so that their failures show values too

from support.agents import Agents, Gate
from support.cluster import Cluster
from support.hostile import Hostile
from support.hosts import Network, why_not
from support.processes import LeakCheck, become_subreaper
from support.project import Project
from support.replica import Pair, make_seed
from support.suite import Suite

become_subreaper()

# Data folders of servers that outlive a test; their processes come and go as PostgreSQL likes.
lasting_folders = []


def pytest_configure(config):
    """A run that is told to end ends as after Ctrl-C: what it has started goes first. What is started hears of Ctrl-C even
    when the run does not, being in the background of a shell."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Leaves the outcome of each phase on the item, for fixtures that act on a failure."""
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


def has_failed(request):
    report = getattr(request.node, "report_call", None)
    return report is None or report.failed


@pytest.fixture(scope="session")
def cluster():
    """A private PostgreSQL, one per pytest worker."""
    cluster = Cluster()
    try:
        cluster.start()
        lasting_folders.append(str(cluster.folder))
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def folder(request):
    """A short temporary folder. Kept after a failure when ORCH_KEEP is set."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="orch-"))
    yield path
    if has_failed(request) and os.environ.get("ORCH_KEEP"):
        request.node.add_report_section("teardown", "folder", f"kept: {path}")
    else:
        shutil.rmtree(path)


@pytest.fixture(autouse=True)
def no_leaks(folder):
    """After each test no process that it started and no file lock in its folder is left."""
    check = LeakCheck(lasting_folders)
    yield
    check.finish([folder])


@pytest.fixture
def database(cluster, no_leaks):
    """A fresh, migrated database."""
    database = cluster.fresh()
    yield database
    database.drop()


@pytest.fixture
def empty_database(cluster, no_leaks):
    """A fresh database that nobody has migrated."""
    database = cluster.fresh("template1")
    yield database
    database.drop()


@pytest.fixture(scope="session")
def seed():
    """What each PostgreSQL on a host begins as."""
    seed = make_seed()
    yield seed
    seed.remove()


@pytest.fixture
def network(no_leaks):
    """Hosts of the test's own, and what lies between them. Skipped, and named, where the machine allows none."""
    if reason := why_not():
        pytest.skip(f"no hosts on this machine: {reason}")
    network = Network()
    yield network
    network.remove()


@pytest.fixture
def make_pair(seed, network, folder):
    """Makes and starts a primary with its standby, or without; once per test."""
    pairs = []

    def make(**options):
        assert not pairs, "a test has one pair"
        pairs.append(Pair(network, seed, folder, **options))
        return pairs[-1].start()

    yield make
    for pair in pairs:
        pair.remove()


@pytest.fixture
def project(folder):
    return Project(folder / "forge")


@pytest.fixture
def hostile(folder):
    """Writes a repository configuration in which everything that can run a command runs one that leaves a mark."""
    return Hostile(folder)


@pytest.fixture
def agents(folder):
    return Agents(folder / "agents")


@pytest.fixture
def gate(agents):
    """Agents behind it wait until the test opens it."""
    gate = Gate(agents)
    yield gate
    gate.open()


@pytest.fixture
def make_suite(request, database, folder, agents):
    """Makes suites that are not started yet; those that still run at the end are stopped, and must stop cleanly. A test
    that has a network names it before this fixture: what is named first is ended last."""
    suites = []

    def make(database=database, **options):
        suites.append(Suite(database, folder / f"suite{len(suites)}", **{**agents.options(), **options}))
        return suites[-1]

    yield make
    for suite in suites:
        if has_failed(request):
            request.node.add_report_section("call", f"log of {suite.folder.name}", suite.log.tail())
            suite.destroy()
        else:
            try:
                suite.stop()
            finally:
                suite.destroy()


@pytest.fixture
def suite(make_suite):
    """A running suite with one webhookd, one workerd and agents that do their work at once."""
    return make_suite().start()
