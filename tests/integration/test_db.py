"""common/db.c against a real server: what is reported when connections, statements and servers end."""

import os
import signal
import socket
import time

import pytest

from support.db_probe import CHANNEL, Probe
from support.swallower import Swallower, socket_folder
from support.wait import wait_for


@pytest.fixture
def make_probe(no_leaks):
    probes = []

    def make(dsn):
        probes.append(Probe(dsn))
        return probes[-1]

    yield make
    try:
        for probe in probes:
            if probe.process.returncode is None:
                probe.finish()
    finally:
        for probe in probes:
            probe.kill()


@pytest.fixture
def probe(make_probe, empty_database):
    probe = make_probe(empty_database.dsn())
    probe.expect("up")
    return probe


def backend(database, state=None):
    """The server process of the probe, once it is in that state."""
    found = "select pid as v from pg_stat_activity where application_name = 'probe' and datname = current_database()"
    if state:
        found += f" and state = '{state}' and wait_event = 'PgSleep'"
    return wait_for(lambda: database.column(found), what="backend of the probe")[0]


def hold(database):
    """From now on held() in a statement waits until let_go()."""
    database.query("""create table gate ();
        create function held() returns int language plpgsql as $$
        begin
                while exists (select from pg_class where relname = 'gate') loop
                        perform pg_sleep(0.02);
                end loop;
                return 1;
        end $$""")


def let_go(database):
    database.query("drop table gate")


def notify(database):
    database.query(f"select pg_notify('{CHANNEL}', '')")


# --- a session that works -------------------------------------------------------------------------------------


def test_session_settings(probe):
    names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit", "client_encoding",
             "application_name"]
    sql = " || ',' || ".join(f"current_setting('{name}')" for name in names)
    assert probe.value(f"select {sql} as v") == "1min,2s,10s,off,UTF8,probe"


def test_parameters(probe):
    probe.say("with a 5000 it's select $1::text || '!' as v")
    probe.expect("result a ok it's!")


def test_results_come_in_order(probe):
    for i in range(50):
        probe.say(f"query q{i} 20000 select {i} as v")
    results = [probe.expect("result") for _ in range(50)]
    assert results == [f"result q{i} ok {i}" for i in range(50)]


def test_large_statement_and_answer(probe):
    """More than the socket takes at once: the rest is written when it can be."""
    for tag in "ab":
        probe.say(f"query {tag} 20000 select length('{'x' * 3000000}') as v, repeat('y', 20000000) as big")
    probe.expect("result a ok 3000000", "result b ok 3000000")


def test_sql_error_leaves_the_connection(probe):
    pid = probe.value("select pg_backend_pid() as v")
    probe.say("query a 5000 select 1 / 0 as v")
    assert probe.expect("result a") == "result a error 22012 probe: division by zero"
    probe.say("query b 5000 do $$ begin raise 'no such item' using errcode = 'OR001', hint = 'look'; end $$")
    assert probe.expect("result b") == "result b error OR001 no such item (hint: look)"
    assert probe.value("select pg_backend_pid() as v") == pid


def test_error_at_commit(probe):
    """The server reports rows first and the failed commit after them."""
    probe.say("query t 5000 create table t (n int unique deferrable initially deferred)")
    probe.say("query a 5000 insert into t values (1), (1) returning n as v")
    assert probe.expect("result a").startswith("result a error 23505")
    assert probe.value("select count(*) as v from t") == "0"


def test_notices_go_nowhere(probe):
    probe.say("query a 5000 do $$ begin raise warning 'loud'; end $$")
    probe.expect("result a ok")  # finish() looks at stderr


def test_copy_is_refused(probe):
    probe.say("query a 5000 copy (select 1) to stdout")
    assert "something other than rows" in probe.expect("result a unknown")
    probe.expect("up")


def test_notify(probe, empty_database):
    notify(empty_database)
    probe.expect("notify")


def test_notify_with_an_answer(probe):
    """A notification that is read together with an answer is not left lying."""
    for i in range(20):
        probe.say(f"query q{i} 5000 select 1 as v from pg_notify('{CHANNEL}', '')")
        probe.expect("notify")


def test_retry_until_it_works(probe):
    probe.say("query s 5000 create sequence tries")
    probe.say("query a 5000 do $$ begin if nextval('tries') < 5 then"
              " raise 'lost' using errcode = '40001'; end if; end $$")
    probe.expect("result a ok")
    assert probe.value("select last_value as v from tries") == "5"


def test_retry_ends(probe):
    probe.say("query s 5000 create sequence tries")
    probe.say("query a 5000 do $$ begin perform nextval('tries'); raise 'lost' using errcode = '40P01'; end $$")
    probe.expect("result a error 40P01 probe: lost")
    assert probe.value("select last_value as v from tries") == "5"


def test_forget(probe, empty_database):
    """Forgotten on the wire, the statement still takes effect; forgotten in the queue, it is not sent."""
    probe.say("query t 5000 create table t (n int)")
    probe.expect("result t")
    hold(empty_database)
    probe.say("query a 60000 insert into t select held()")
    backend(empty_database, "active")
    probe.say("query b 60000 insert into t values (2)")
    probe.say("forget a")
    probe.say("forget b")
    probe.say("query c 1 select 3 as v")
    probe.expect("result c unavailable")  # so the words before it have been heard
    let_go(empty_database)
    assert probe.value("select array_agg(n) as v from t") == "{1}"
    assert not [line for line in probe.seen if line.startswith(("result a", "result b"))]


@pytest.mark.parametrize("others", [0, 2])
def test_free_in_a_callback(probe, others):
    probe.say("query a 5000 select pg_sleep(0.2) as v")
    probe.say("free-at a")
    for i in range(others):
        probe.say(f"query q{i} 5000 select 1 as v")
    probe.expect("result a ok", "freed")


def test_free_with_a_statement_on_the_wire(probe, empty_database):
    probe.say("query a 60000 select pg_sleep(50) as v")
    backend(empty_database, "active")
    probe.say("free")
    probe.finish()
    assert "result a" not in "".join(probe.seen)


# --- connections that end -------------------------------------------------------------------------------------


def test_terminated_while_idle(probe, empty_database):
    """LISTEN is there again after the reconnect."""
    empty_database.query("select pg_terminate_backend(%s)", backend(empty_database))
    probe.expect("down 57P01", "up")
    notify(empty_database)
    probe.expect("notify")
    assert probe.value("select 1 as v") == "1"


def test_terminated_while_running(probe, empty_database):
    """The server says that it gave up before the commit."""
    probe.say("query a 20000 select pg_sleep(20) as v")
    probe.say("query b 20000 select 'later' as v")
    empty_database.query("select pg_terminate_backend(%s)", backend(empty_database, "active"))
    probe.expect("down 57P01", "result a unavailable 57P01", "result b ok later")


def test_terminated_during_commit(probe):
    """Rows have come, the commit has not: nobody can know."""
    probe.say("query f 5000 create function f() returns trigger language plpgsql as"
              " $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); return null; end $$")
    probe.say("query t 5000 create table t (n int)")
    probe.say("query c 5000 create constraint trigger c after insert on t deferrable initially deferred"
              " for each row execute function f()")
    probe.say("query a 5000 insert into t values (1) returning n as v")
    probe.expect("result c ok", "down 57P01", "result a unknown 57P01", "up")


def test_killed_while_running(probe, empty_database):
    probe.say("query a 20000 select pg_sleep(20) as v")
    os.kill(backend(empty_database, "active"), signal.SIGKILL)
    probe.expect("down", "result a unknown", "up", timeout=60)


@pytest.mark.parametrize("code, outcome", [("25006", "unavailable"), ("53200", "unavailable"), ("08000", "unknown"),
                                           ("57P03", "unavailable")])
def test_errors_that_ask_for_a_reconnect(probe, code, outcome):
    pid = probe.value("select pg_backend_pid() as v")
    probe.say(f"query a 5000 do $$ begin raise 'not now' using errcode = '{code}'; end $$")
    probe.expect(f"down {code} not now", f"result a {outcome} {code} probe: not now", "up")
    assert probe.value("select pg_backend_pid() as v") != pid


@pytest.mark.parametrize("padding", ["", "x" * 3000000], ids=["small", "large"])
def test_deadline_while_running(probe, empty_database, padding):
    """No answer: the connection is given up, the next request gets a new one. Also when the statement does not even
    fit into the socket."""
    pid = backend(empty_database)
    os.kill(pid, signal.SIGSTOP)
    try:
        probe.say(f"query a 500 select 1 as v -- {padding}")
        probe.say("query b 20000 select 2 as v")
        probe.expect("down - no answer within 500 ms", "result a unknown - probe: no answer within 500 ms", "up",
                     "result b ok 2")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_deadline_in_the_queue(probe, empty_database):
    hold(empty_database)
    probe.say("query a 60000 select held() as v")
    probe.say("query b 200 select 2 as v")
    probe.expect("result b unavailable - probe: not its turn within 200 ms")
    let_go(empty_database)
    probe.expect("result a ok")


def test_deadline_while_down(make_probe, folder):
    probe = make_probe(f"host={folder} dbname=x")
    probe.say("query a 700 select 1 as v")
    probe.expect("down - connection to server", "result a unavailable - probe: no connection")
    while sum(line.startswith("down") for line in probe.seen) < 2:  # it goes on trying, before that or after
        probe.expect("down")


def test_server_restarts(probe, empty_database):
    """What was on the wire is unknown, what waited is answered by the new server."""
    probe.say("query a 60000 select pg_sleep(60) as v")
    backend(empty_database, "active")
    empty_database.cluster.restart("immediate")
    probe.expect("down", "result a unknown")
    probe.say("query b 60000 select 'new' as v")
    probe.expect("up", "result b ok new", timeout=60)
    connection = empty_database.connect()  # its shared one died with the server
    with connection.cursor() as cursor:
        cursor.execute("select pg_notify(%s, '')", [CHANNEL])
    connection.close()
    probe.expect("notify")


def test_request_while_the_server_is_away(probe, empty_database):
    empty_database.cluster.stop()
    try:
        probe.expect("down 57P01", "down")
        probe.say("query a 60000 select 'there' as v")
    finally:
        empty_database.cluster.start()
    probe.expect("up", "result a ok there", timeout=60)


def test_terminated_again_and_again(probe, empty_database):
    """Nothing is answered with an error: only done, or not done, or not known."""
    for i in range(20):
        pid = probe.value("select pg_backend_pid() as v")  # a connection that was of use is made again quickly
        probe.say(f"query q{i} 20000 select pg_sleep(0.01) as v")
        empty_database.query("select pg_terminate_backend(%s)", int(pid))
        line = probe.expect(f"result q{i} ")
        assert line.split(" ")[2] in ("ok", "unavailable", "unknown"), line
        if probe.seen.count("up") < i + 2:  # it may have come before the result
            probe.expect("up")


# --- several hosts --------------------------------------------------------------------------------------------


def test_next_host(make_probe, empty_database, folder):
    dsn = f"host={folder},{socket_folder(empty_database)} port=5480 dbname={empty_database.name}"
    probe = make_probe(dsn)
    probe.expect("up")
    assert probe.seen == ["up"]


def test_host_that_swallows_everything(make_probe, empty_database):
    """A host that takes the connection and says nothing costs 3 s, not the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"host=127.0.0.1,{socket_folder(empty_database)} port={silent.getsockname()[1]},5480"
        started = time.monotonic()
        probe = make_probe(f"{dsn} dbname={empty_database.name}")
        probe.expect("up")
        assert 2.5 < time.monotonic() - started < 15


def test_only_a_host_that_may_write(make_probe, empty_database, folder):
    empty_database.query(f"alter database {empty_database.name} set default_transaction_read_only = on")
    probe = make_probe(f"host={folder},{socket_folder(empty_database)} port=5480 dbname={empty_database.name}")
    line = probe.expect("down")
    assert "No such file" in line and "read-only" in line
    fresh = empty_database.connect()
    with fresh.cursor() as cursor:
        cursor.execute("set default_transaction_read_only = off")
        cursor.execute(f"alter database {empty_database.name} reset default_transaction_read_only")
    fresh.close()
    probe.expect("up")


def test_wrong_connection_string(make_probe):
    probe = make_probe("host=a,b,c port=1,2")
    probe.expect("refused the connection string names 3 hosts, 0 of their addresses and 2 ports")


# --- an answer that is lost -----------------------------------------------------------------------------------


def test_answer_is_lost(make_probe, empty_database, folder):
    """The server has committed, and only that it did is lost: unknown, and not sent a second time."""
    empty_database.query("create table t (n int)")
    swallower = Swallower(folder, socket_folder(empty_database) / ".s.PGSQL.5480")
    probe = make_probe(f"host={folder} port=5480 dbname={empty_database.name}")
    probe.expect("up")
    swallower.lose("insert into t")
    probe.say("query a 20000 insert into t values (1)")
    probe.expect("down", "result a unknown", "up")
    assert probe.value("select count(*) as v from t") == "1"
    probe.finish()
    swallower.close()
