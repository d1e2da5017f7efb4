"""Which lines of the SQL functions the tests have come by, for tests/coverage: it names a folder in ORCH_COVERAGE. Without
it nothing here does anything.

plpgsql_check counts the statements of plpgsql functions, also of those that end in an error. Functions in SQL have no
lines; PostgreSQL counts their calls, once it can no longer put their text into the query that calls them."""

import json
import os
import pathlib

from .wait import wait_for

FOLDER = os.environ.get("ORCH_COVERAGE")

SERVER = """shared_preload_libraries = 'plpgsql_check'
plpgsql_check.profiler = on
plpgsql_check.profiler_max_shared_chunks = 100000
track_functions = all
"""
# A function with a setting of its own is never put into its caller; this setting is the default already. Functions that give rows
# stay as they are: some are quick only as a part of the query that asks them.
KEEP_APART = """
do $$ declare f regprocedure; begin
        for f in select p.oid from pg_proc p join pg_language l on l.oid = p.prolang
                 where p.pronamespace = 'orch'::regnamespace and l.lanname = 'sql' and p.prokind = 'f' and not p.proretset loop
                execute format('alter function %s set jit = off', f);
        end loop;
end $$"""
# Of a function that was not called the profiler knows no statements.
STATEMENTS = """
select p.oid::regprocedure::text as function, p.prosrc as body, array_agg(s.lineno) as lines,
       array_agg(s.lineno) filter (where s.exec_stmts > 0) as covered
from pg_proc p join pg_language l on l.oid = p.prolang join pg_stat_user_functions u on u.funcid = p.oid
cross join lateral plpgsql_profiler_function_statements_tb(p.oid) s
where p.pronamespace = 'orch'::regnamespace and l.lanname = 'plpgsql'
group by p.oid"""
CALLED = """
select distinct u.funcname from pg_stat_user_functions u join pg_proc p on p.oid = u.funcid join pg_language l on l.oid = p.prolang
where u.schemaname = 'orch' and l.lanname = 'sql'"""

seen = {"bodies": {}, "called": set()}


def configure(folder):
    """Before the first start of a server that pgcluster has made in that folder."""
    if FOLDER:
        with open(folder / "local.conf", "a") as conf:
            conf.write(SERVER)


def prepare(cluster, name):
    """A database that was migrated, before anything is copied from it."""
    if FOLDER:
        cluster.execute(KEEP_APART, name)


def collect(database):
    """Before a database goes."""
    if not FOLDER or not database.value("select to_regnamespace('orch') is not null"):
        return
    database.forget_connections()
    end_sessions(database)
    database.query("create extension plpgsql_check")
    for row in database.query(STATEMENTS):
        body = seen["bodies"].setdefault(row["body"], {"function": row["function"], "lines": set(), "covered": set()})
        body["lines"].update(row["lines"])
        body["covered"].update(row["covered"] or [])
    seen["called"].update(database.column(CALLED))
    database.query("select plpgsql_profiler_reset_all()")  # or its memory fills up: what it keeps of a database outlives that


def end_sessions(database):
    """Sessions hand in their counts when they end. Those that are left would be ended with the database."""
    others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    database.query(f"select pg_terminate_backend(pid) {others}")
    wait_for(lambda: database.value(f"select count(*) {others}") == 0, what="nobody else is connected")


def store():
    """At the end of a pytest process."""
    if FOLDER:
        name = pathlib.Path(FOLDER) / f"sql-{os.getpid()}.json"
        name.write_text(json.dumps(seen, default=sorted))
