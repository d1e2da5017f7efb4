"""Fixtures of the integration tests: single daemons, and a supervisor without real ones."""

import os

import pytest

from support.ctl import Ctl
from support.operatord import Operatord
from support.pieces import Host
from support.project import Project
from support.shim import Shim
from support.supervised import NotifySocket, Supervised
from support.webhookd import Webhookd


def maker(request, folder, daemon):
    """Makes daemons of one kind that are not started yet; those that still run at the end must stop cleanly. A test that has
    a database names it before such a fixture: what is named first is ended last."""
    made = []

    def make(dsn, **options):
        made.append(daemon(dsn, folder / f"{daemon.__name__.lower()}{len(made)}", **options))
        return made[-1]

    yield make
    report = getattr(request.node, "report_call", None)
    failed = report is None or report.failed
    try:
        for one in made:
            if failed:
                request.node.add_report_section("call", f"log of {one.folder.name}", one.log.tail())
            else:
                one.stop()
    finally:
        for one in made:
            one.destroy()


@pytest.fixture
def make_webhookd(request, folder):
    yield from maker(request, folder, Webhookd)


@pytest.fixture
def make_operatord(request, folder):
    yield from maker(request, folder, Operatord)


@pytest.fixture
def webhookd(database, make_webhookd):
    """One webhookd whose database is up."""
    return make_webhookd(database.dsn()).start().wait_database()


@pytest.fixture
def operatord(database, make_operatord):
    """One operatord whose database is up."""
    return make_operatord(database.dsn()).start().wait_database()


@pytest.fixture
def make(request, folder):
    """Makes supervisors with stand-ins for their daemons, not started yet; those that run at the end must stop cleanly."""
    made = []

    def make_one(**options):
        made.append(Supervised(folder / f"host{len(made)}", **options))
        return made[-1]

    yield make_one
    report = getattr(request.node, "report_call", None)
    try:
        for one in made:
            if report is None or report.failed:
                request.node.add_report_section("call", f"log of {one.folder.name}", one.log.tail())
            else:
                one.stop()
                assert not [line for line in one.log.lines() if "Sanitizer" in line or "runtime error:" in line]
    finally:
        for one in made:
            one.destroy()


@pytest.fixture
def notify(folder):
    """Stands for the service manager."""
    sock = NotifySocket(f"@orch-test-{os.getpid()}-{folder.name}")
    yield sock
    sock.close()


@pytest.fixture(scope="module")
def shared(cluster, tmp_path_factory):
    """One webhookd for all tests of a module that only send to it; its database is `shared.database`. Deadlines are
    long, and a single peer may have many connections."""
    yield from one_for_all(cluster, tmp_path_factory, "60s", "120s")


@pytest.fixture(scope="module")
def impatient(cluster, tmp_path_factory):
    """The same, with short deadlines, for requests that never end."""
    yield from one_for_all(cluster, tmp_path_factory, "1s", "2s")


def one_for_all(cluster, tmp_path_factory, header_timeout, request_timeout):
    database = cluster.fresh()
    webhookd = Webhookd(database.dsn(), tmp_path_factory.mktemp("webhookd"), http_header_timeout=header_timeout,
                        http_request_timeout=request_timeout, intake_timeout="20s", http_max_per_peer=1000)
    webhookd.database = database
    try:
        webhookd.start().wait_database()
        yield webhookd
        webhookd.stop()
    finally:
        webhookd.destroy()
        database.drop()


@pytest.fixture
def start_shim(folder, no_leaks):
    """Starts shims in folders of their own; kills what a failed test leaves."""
    shims = []

    def start(*command, name=None, **options):
        shims.append(Shim(folder / (name or f"run-{len(shims)}"), *command, **options))
        return shims[-1]

    yield start
    for shim in shims:
        if shim.process.poll() is None:
            shim.process.kill()
        shim.process.communicate()
        shim.hang_up()


@pytest.fixture
def host(folder, project):
    """A state folder in which the pieces of runs work on the project."""
    return Host(folder / "state", project)


@pytest.fixture
def ctl(database, folder):
    return Ctl(database, folder)


@pytest.fixture
def demo(ctl, folder):
    """A registered project; its work items are DEMO-1 and so on."""
    project = Project(folder / "forge", prefix="DEMO")
    ctl("project", "add", "demo", project.bare, "--prefix", "DEMO", "--test", "sh check.sh")
    return project
