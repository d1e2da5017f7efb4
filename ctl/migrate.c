/* migrate.c - the ledger, the lock, and one transaction per step. */
#include "ctl/migrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/contract.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/pg.h"
#include "migrations.h"
#include "queries.h"

#define LOCK_POLL_MS 200

/* A step that waits longer for a table's lock would make everybody behind it wait too: it gives up and tries
 * again. */
static const char session_settings[] = "select set_config('statement_timeout', '0', false), "
                                       "set_config('lock_timeout', '3s', false)";

/* Run as orch_owner in the transaction of the first migration, which makes that role and the schema. */
static const char ledger_ddl[] =
        "create table orch.schema_migration ("
        "  version integer primary key, name text not null, sha256 text not null,"
        "  applied_at timestamptz not null default now(), applied_by text not null default session_user);"
        "comment on table orch.schema_migration is 'Migrations that were applied; kept by orchctl migrate';"
        "comment on column orch.schema_migration.version is 'Number of the migration';"
        "comment on column orch.schema_migration.name is 'File under sql/migrations';"
        "comment on column orch.schema_migration.sha256 is 'Checksum of the file as it was applied';"
        "comment on column orch.schema_migration.applied_at is 'When';"
        "comment on column orch.schema_migration.applied_by is 'Database user who applied it';"
        "create table orch.schema_code ("
        "  one boolean primary key default true check (one), sha256 text not null,"
        "  applied_at timestamptz not null default now());"
        "comment on table orch.schema_code is 'What sql/code was when it was last applied; kept by orchctl "
        "migrate';"
        "comment on column orch.schema_code.one is 'There is one row';"
        "comment on column orch.schema_code.sha256 is 'Checksum over all files of sql/code';"
        "comment on column orch.schema_code.applied_at is 'When';"
        "grant select on orch.schema_migration, orch.schema_code to orch_operator, orch_readonly";

static void add_applied(struct migrate_state *state, const PGresult *res, int row)
{
        state->applied[row] = (struct migrate_applied){
                .version = (int)strtol(PQgetvalue(res, row, 0), NULL, 10),
                .name = xstrdup(PQgetvalue(res, row, 1)),
                .sha256 = xstrdup(PQgetvalue(res, row, 2)),
        };
        state->applied_at[row] = xstrdup(PQgetvalue(res, row, 3));
}

static int read_applied(struct pg *pg, struct migrate_state *state)
{
        PGresult *res = pg_query(pg, &Q_MIGRATE_APPLIED, NULL);
        if (res == NULL)
                return pg_report(pg);
        state->n_applied = (size_t)PQntuples(res);
        state->applied = xcalloc(state->n_applied + 1, sizeof(*state->applied));
        state->applied_at = xcalloc(state->n_applied + 1, sizeof(*state->applied_at));
        for (int row = 0; row < PQntuples(res); row++)
                add_applied(state, res, row);
        PQclear(res);
        return EXIT_OK;
}

static int read_code(struct pg *pg, struct migrate_state *state)
{
        PGresult *res = pg_query(pg, &Q_MIGRATE_CODE, NULL);
        if (res == NULL)
                return pg_report(pg);
        if (PQntuples(res) > 0)
                state->code_sha256 = xstrdup(PQgetvalue(res, 0, 0));
        PQclear(res);
        return EXIT_OK;
}

int migrate_read_state(struct pg *pg, struct migrate_state *state)
{
        *state = (struct migrate_state){.n_applied = 0};
        PGresult *res = pg_query(pg, &Q_MIGRATE_HAS_LEDGER, NULL);
        if (res == NULL)
                return pg_report(pg);
        state->has_ledger = PQgetvalue(res, 0, 0)[0] == 't';
        PQclear(res);
        if (!state->has_ledger)
                return EXIT_OK;
        int code = read_applied(pg, state);
        return code == EXIT_OK ? read_code(pg, state) : code;
}

void migrate_state_deinit(struct migrate_state *state)
{
        for (size_t i = 0; i < state->n_applied; i++) {
                free((char *)state->applied[i].name);
                free((char *)state->applied[i].sha256);
                free(state->applied_at[i]);
        }
        free(state->applied);
        free(state->applied_at);
        free(state->code_sha256);
        *state = (struct migrate_state){.n_applied = 0};
}

enum lock_answer { LOCK_TAKEN, LOCK_HELD_BY_OTHER, LOCK_REFUSED };

/* The exit code when it is refused. */
static enum lock_answer try_lock(struct pg *pg, int *ret_code)
{
        _cleanup_(freep) char *pid = xasprintf("%d", pg_server_pid(pg));
        PGresult *res = pg_query(pg, &Q_MIGRATE_LOCK, (const char *const[]){pid});
        enum lock_answer answer = LOCK_REFUSED;
        if (res == NULL)
                *ret_code = pg_report(pg);
        else if (PQgetisnull(res, 0, 0))
                *ret_code =
                        ctl_fail(EXIT_FAILED, "this connection goes through a pooler, and a migration needs "
                                              "a session of its own: name the server itself (--database)");
        else
                answer = PQgetvalue(res, 0, 0)[0] == 't' ? LOCK_TAKEN : LOCK_HELD_BY_OTHER;
        PQclear(res);
        return answer;
}

int migrate_lock(struct pg *pg, int64_t deadline_ms)
{
        for (bool said = false;; said = true) {
                int code = EXIT_OK;
                if (try_lock(pg, &code) != LOCK_HELD_BY_OTHER)
                        return code;
                if (ctl_now_ms() >= deadline_ms)
                        return ctl_fail(EXIT_TEMPORARY,
                                        "another migration of this database is still running");
                if (!said)
                        ctl_note("another migration of this database is running; waiting for it");
                ctl_sleep_ms(LOCK_POLL_MS);
        }
}

/* One step: files that are applied in one transaction, and what the ledger says about them. */
struct step {
        const char *name;
        const struct sql_file *files;
        size_t n_files;
        bool makes_ledger;
        const struct db_statement *record;
        const char *record_params[3];
};

static int run_file(struct pg *pg, const struct sql_file *file)
{
        if (pg_exec(pg, file->sql) != 0) {
                pg_error_where(pg, file->name, file->sql);
                return -EIO;
        }
        if (pg_in_transaction(pg))
                return 0;
        pg_fail(pg, "%s ended the transaction that it must leave open", file->name);
        return -EIO;
}

static int run_step(struct pg *pg, const struct step *step)
{
        if (pg_exec(pg, "begin") != 0)
                return -EIO;
        for (size_t i = 0; i < step->n_files; i++)
                if (run_file(pg, &step->files[i]) != 0)
                        return -EIO;
        if (pg_exec(pg, "set local role orch_owner") != 0)
                return -EIO;
        if (step->makes_ledger && pg_exec(pg, ledger_ddl) != 0)
                return -EIO;
        PGresult *res = pg_query(pg, step->record, step->record_params);
        if (res == NULL)
                return -EIO;
        PQclear(res);
        return pg_exec(pg, "commit");
}

/* What passes by itself: a lock not had in time, a deadlock, and two databases of a cluster that change the
 * same role at once, which PostgreSQL reports as an internal error. */
static bool may_try_again(const struct pg *pg)
{
        const char *state = pg_sqlstate(pg);
        return strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0 ||
               (strcmp(state, "XX000") == 0 && strstr(pg_error(pg), "tuple concurrently") != NULL);
}

static int apply_step(struct pg *pg, const struct step *step, int64_t deadline_ms)
{
        struct backoff backoff = {.min_ms = 50, .max_ms = 2000};
        ctl_note("applying %s", step->name);
        while (run_step(pg, step) != 0) {
                if (!may_try_again(pg) || ctl_now_ms() >= deadline_ms) {
                        int code = pg_report(pg);
                        ctl_note("%s was not applied; nothing of it is left behind", step->name);
                        return code;
                }
                ctl_note("%s has to wait: %s", step->name, pg_error(pg));
                if (pg_exec(pg, "rollback") != 0)
                        return pg_report(pg);
                ctl_sleep_ms(backoff_next_ms(&backoff, backoff_random()));
        }
        return EXIT_OK;
}

static int apply_migration(struct pg *pg, const struct sql_file *file, bool makes_ledger, int64_t deadline_ms)
{
        _cleanup_(freep) char *version = xasprintf("%d", migrate_version(file));
        struct step step = {
                .name = file->name,
                .files = file,
                .n_files = 1,
                .makes_ledger = makes_ledger,
                .record = &Q_MIGRATE_RECORD,
                .record_params = {version, file->name, file->sha256},
        };
        return apply_step(pg, &step, deadline_ms);
}

static int apply_code(struct pg *pg, const char *sha256, int64_t deadline_ms)
{
        struct step step = {
                .name = "functions and views",
                .files = sql_code,
                .n_files = sql_code_count,
                .record = &Q_MIGRATE_RECORD_CODE,
                .record_params = {sha256},
        };
        return apply_step(pg, &step, deadline_ms);
}

static int apply_missing(struct pg *pg, const struct migrate_state *state, int64_t deadline_ms,
                         struct migrate_report *report)
{
        struct errinfo err = ERRINFO_INIT;
        char sha256[MIGRATE_SHA256_SIZE];
        size_t done = 0;
        if (migrate_plan(sql_migrations, sql_migrations_count, state->applied, state->n_applied, &done,
                         &err) > 0)
                return ctl_fail(EXIT_FAILED, "%s", err.text);
        for (size_t i = done; i < sql_migrations_count; i++) {
                bool makes_ledger = i == 0 && !state->has_ledger;
                int code = apply_migration(pg, &sql_migrations[i], makes_ledger, deadline_ms);
                if (code != EXIT_OK)
                        return code;
                report->migrations++;
        }
        migrate_code_sha256(sql_code, sql_code_count, sha256);
        report->code = state->code_sha256 == NULL || strcmp(state->code_sha256, sha256) != 0;
        return report->code ? apply_code(pg, sha256, deadline_ms) : EXIT_OK;
}

int migrate_apply(struct pg *pg, int64_t deadline_ms, struct migrate_report *ret_report)
{
        struct migrate_report report = {.migrations = 0};
        struct migrate_state state;
        int code = migrate_lock(pg, deadline_ms);
        if (code != EXIT_OK)
                return code;
        if (pg_exec(pg, session_settings) != 0)
                return pg_report(pg);
        /* Read under the lock: what was read before may be old by now. */
        code = migrate_read_state(pg, &state);
        if (code == EXIT_OK)
                code = apply_missing(pg, &state, deadline_ms, &report);
        migrate_state_deinit(&state);
        *ret_report = report;
        return code;
}
