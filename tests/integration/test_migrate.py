"""orchctl migrate: whole steps only, whatever kills it; one migrator at a time; refusals."""

import collections
import json
import random
import re
import select
import signal
import subprocess

import pytest

from support.cluster import Cluster
from support.paths import program, program_env, source
from support.wait import wait_for

LOCK = int.from_bytes(b"orchmig", "big")
BOUNDARY_LOCK = 7001


def migrate(database, *args, **env):
    return subprocess.run([program("orchctl"), "migrate", *args], env=program_env(ORCH_DATABASE=database.dsn(), **env),
                          capture_output=True, text=True, timeout=120)


def start(database, *args):
    return subprocess.Popen([program("orchctl"), "migrate", *args], env=program_env(ORCH_DATABASE=database.dsn()),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def migrated(database, *args):
    done = migrate(database, *args)
    assert done.returncode == 0, done.stderr
    return done


def ledger(database):
    if not database.value("select to_regclass('orch.schema_migration') is not null"):
        return []
    return [row["name"] for row in database.query("select name from orch.schema_migration order by version")]


def listed(database):
    return json.loads(migrate(database, "--list", "--json").stdout)


def dump(database):
    """Everything that a migration makes, but for the times at which it did."""
    done = subprocess.run(
        ["pg_dump", "--no-sync", "--schema=orch", "--exclude-table-data=orch.schema_*", "--exclude-table-data=orch.setting_row", "--exclude-table-data=orch.state_change",
         f"--dbname={database.dsn('orch')}"], capture_output=True, text=True, timeout=60, check=True)
    settings = database.query("select key, kind, value, standard, about, changed_by from orch.setting_row order by key")
    ledgers = database.query("select version, name, sha256 from orch.schema_migration order by version"), \
        database.query("select sha256 from orch.schema_code")
    # a random word in each dump; where a sequence stands, which a migrator that was killed has moved
    text = re.sub(r"^(\\(un)?restrict|SELECT pg_catalog.setval).*$", "", done.stdout, flags=re.M)
    # rows lie as they were updated, and a try that was killed has left its holes
    text = re.sub(r"(?ms)^(COPY [^\n]* FROM stdin;\n)(.*?)(^\\\.$)", lambda copy: copy[1] + "".join(sorted(copy[2].splitlines(True))) + copy[3], text)
    return text, settings, ledgers


def objects(database):
    """What is in the schema at this moment, by name: cheaper than a dump."""
    return database.query("""
        select 'relation' as kind, c.oid::regclass::text as name from pg_class c where c.relnamespace = to_regnamespace('orch')
        union all select 'function', p.oid::regprocedure::text from pg_proc p where p.pronamespace = to_regnamespace('orch')
        union all select 'constraint', k.conname from pg_constraint k where k.connamespace = to_regnamespace('orch')
        order by 1, 2""")


def migrators(database):
    return database.value("select count(*) from pg_stat_activity where datname = current_database() and application_name = 'orchctl'")


# --- the plain life of it ------------------------------------------------------------------------------------


def test_fresh_then_nothing_to_do(empty_database):
    assert migrate(empty_database, "--check").returncode == 3
    first = migrated(empty_database)
    assert "applying 0001_base.sql" in first.stderr and first.stdout == ""
    before = dump(empty_database)
    again = migrated(empty_database)
    assert again.stderr == "nothing to do: the database is current\n"
    assert dump(empty_database) == before
    assert migrate(empty_database, "--check").returncode == 0


def test_json_says_what_was_done(empty_database):
    before = listed(empty_database)
    assert before["current"] is False and before["refused"] is None
    assert all(m["applied_at"] is None for m in before["migrations"])
    report = json.loads(migrated(empty_database, "--json").stdout)
    assert report == {"migrations_applied": len(before["migrations"]), "code_replaced": True}
    after = listed(empty_database)
    assert after["current"] is True and all(m["applied_at"] for m in after["migrations"])
    assert [m["name"] for m in after["migrations"]] == ledger(empty_database)
    assert json.loads(migrated(empty_database, "--json").stdout) == {"migrations_applied": 0, "code_replaced": False}


def test_every_object_belongs_to_the_owner(empty_database):
    migrated(empty_database)
    assert empty_database.query("""
        select c.relname from pg_class c where c.relnamespace = 'orch'::regnamespace and c.relowner <> 'orch_owner'::regrole
        union all select p.proname from pg_proc p where p.pronamespace = 'orch'::regnamespace and p.proowner <> 'orch_owner'::regrole
        """) == []


def test_functions_are_replaced_only_when_they_differ(database):
    database.query("update orch.schema_code set sha256 = 'of another release'")
    database.query("create function orch.left_over() returns int language sql return 1")
    assert migrate(database, "--check").returncode == 3
    done = migrated(database)
    assert "0001" not in done.stderr and "functions and views replaced" in done.stderr
    assert database.value("select to_regprocedure('orch.left_over()') is null")


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [(), ("--check",), ("--list",)])
def test_a_newer_database_is_refused(database, args):
    database.query("insert into orch.schema_migration (version, name, sha256) values (9999, '9999_later.sql', 'x')")
    before = dump(database)
    done = migrate(database, *args)
    assert done.returncode == 1
    assert "the database is newer than this program: it has migration 9999 (9999_later.sql)" in done.stderr
    assert dump(database) == before


@pytest.mark.parametrize("args", [(), ("--check",)])
def test_a_changed_migration_is_refused(database, args):
    database.query("update orch.schema_migration set sha256 = repeat('0', 64) where version = 2")
    done = migrate(database, *args)
    assert done.returncode == 1
    assert "0002_" in done.stderr and "is not what was applied" in done.stderr


def test_a_missing_right_is_said_and_nothing_is_left(empty_database, database):
    done = migrate(empty_database, "--user", "orch_readonly")
    assert done.returncode == 1
    assert "0001_base.sql" in done.stderr and "SQLSTATE 42501" in done.stderr
    assert objects(empty_database) == []


def test_no_server(folder):
    done = subprocess.run([program("orchctl"), "migrate"], capture_output=True, text=True, timeout=60,
                          env=program_env(ORCH_DATABASE=f"host={folder} dbname=orch"))
    assert done.returncode == 75
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith("orchctl: cannot connect to the database: ")
    assert lines[1].startswith("hint: ") and str(folder) in lines[1]


# --- killed --------------------------------------------------------------------------------------------------


def arm(database):
    """From now on a migrator stops after its n-th change of the schema (comments, which are most of it, do not count),
    until the lock is free."""
    database.query(f"""
        create table public.stop_at (n bigint);
        insert into public.stop_at values (0);
        create sequence public.changes;
        create function public.at_change() returns event_trigger language plpgsql security definer as $$
        begin
                if tg_tag <> 'COMMENT' and nextval('public.changes') = (select n from public.stop_at) then
                        perform pg_advisory_lock({BOUNDARY_LOCK}), pg_advisory_unlock({BOUNDARY_LOCK});
                end if;
        end $$;
        create event trigger boundary on ddl_command_end execute function public.at_change()""")


def disarm(database):
    database.query("drop event trigger boundary; drop function public.at_change; drop sequence public.changes; drop table public.stop_at")


def kill_at(database, holder, n):
    """Starts a migrator and kills it after its n-th change. False: there was none, it has ended well."""
    database.query("update public.stop_at set n = %s", n)
    database.query("select setval('public.changes', 1, false)")
    holder.execute("select pg_advisory_lock(%s)", (BOUNDARY_LOCK,))
    process = start(database)
    waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and not granted"
    wait_for(lambda: process.poll() is not None or database.value(waits, BOUNDARY_LOCK), what=f"change {n} is reached")
    process.kill()
    _, err = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), err
    holder.execute("select pg_advisory_unlock(%s)", (BOUNDARY_LOCK,))
    wait_for(lambda: migrators(database) == 0, what="the server has noticed")
    return process.returncode != 0


def changing_steps(database):
    """The steps that change the schema, counted from 0; the last is that of the functions and views."""
    names = ledger(database)
    texts = [source(f"sql/migrations/{name}").read_text() for name in names]
    return {i for i, text in enumerate(texts) if re.search(r"(?m)^\s*(create|alter|drop) ", text)} | {len(names)}


def test_killed_after_every_change_nothing_is_half_done(empty_database, cluster):
    """kill -9 after a change of the schema, each of the first in a step and then some; each time the steps that were done are whole, and the present
    one has left nothing. Then it runs through, and nothing tells the database from one that was never disturbed."""
    database = empty_database
    undisturbed = cluster.fresh("template1")
    migrated(undisturbed)
    arm(database)
    connection = database.connect()
    kills = collections.Counter()
    step, before, n, last = 0, objects(database), 1, len(list(source("sql/migrations").glob("*.sql")))
    with connection.cursor() as holder:
        while kill_at(database, holder, n):
            if steps(database) == step:
                assert objects(database) == before, f"step {step} killed after change {n}"
                kills[step] += 1
                n += 1 if n < 25 or step < last else 13  # the functions and views are hundreds
            else:
                step, before, n = steps(database), objects(database), 1
    connection.close()
    assert set(kills) == changing_steps(database), kills
    disarm(database)
    assert migrated(database).stderr == "nothing to do: the database is current\n"
    assert dump(database) == dump(undisturbed)
    undisturbed.drop()


def steps(database):
    """How many transactions were committed."""
    done = len(ledger(database))
    return done + (database.value("select count(*) from orch.schema_code") if done else 0)


def migrate_is_current(database):
    return listed(database)["current"]


def test_killed_at_random_moments(empty_database, cluster):
    """The moments between the statements of the client too: around begin, the row of the ledger, and commit."""
    database = empty_database
    undisturbed = cluster.fresh("template1")
    migrated(undisturbed)
    for _ in range(40):
        process = start(database)
        select.select((process.stderr,), (), (), 5)
        select.select((), (), (), random.random() * 0.05)
        process.kill()
        process.communicate()
        names = ledger(database)
        assert names == sorted(names)
    migrated(database)
    assert dump(database) == dump(undisturbed)
    undisturbed.drop()


# --- several at once -----------------------------------------------------------------------------------------


def test_migrators_of_one_database_take_turns(empty_database):
    processes = [start(empty_database, "--json") for _ in range(4)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, outputs
    reports = [json.loads(out) for out, _ in outputs]
    assert sum(r["migrations_applied"] for r in reports) == len(ledger(empty_database))
    assert sum(r["code_replaced"] for r in reports) == 1


def test_another_migrator_is_not_waited_for_without_end(empty_database):
    connection = empty_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (LOCK,))
        done = migrate(empty_database, "--wait", "300ms")
    connection.close()
    assert done.returncode == 75
    assert "another migration of this database is still running" in done.stderr
    assert objects(empty_database) == []


def test_databases_of_a_new_cluster_at_once():
    """Roles belong to the cluster: whoever comes second finds them there, at whatever moment."""
    cluster = Cluster()
    try:
        cluster.start()
        databases = [cluster.fresh("template1") for _ in range(6)]
        processes = [start(database) for database in databases]
        for process, database in zip(processes, databases):
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert migrate_is_current(database)
        for database in databases:
            database.drop()
    finally:
        cluster.remove()


def test_a_held_lock_is_waited_for_in_short_pieces(database):
    """Somebody reads a view while it is to be replaced: the migrator lets go and tries again, so that nobody has to
    queue behind it for longer than its lock timeout."""
    database.query("update orch.schema_code set sha256 = 'of another release'")
    connection = database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from orch.setting")
        process = start(database)
        seen = []
        wait_for(lambda: seen.append(process.stderr.readline()) or "has to wait" in seen[-1], what="it lets go")
    connection.rollback()
    connection.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert migrate_is_current(database)


def test_a_held_lock_ends_it_when_the_time_is_over(database):
    database.query("update orch.schema_code set sha256 = 'of another release'")
    connection = database.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from orch.setting")
        done = migrate(database, "--wait", "100ms")
    connection.rollback()
    connection.close()
    assert done.returncode == 75
    assert "nothing of it is left behind" in done.stderr
    assert database.value("select sha256 from orch.schema_code") == "of another release"
