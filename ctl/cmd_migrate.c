/* cmd_migrate.c - orchctl migrate. */
#include "ctl/commands.h"

#include <string.h>

#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/migrate.h"
#include "ctl/pg.h"
#include "ctl/table.h"
#include "migrations.h"

#define DEFAULT_USER    "orch"
#define DEFAULT_WAIT_MS 60000

/* What the database has, against what this program has. */
struct view {
        struct migrate_state state;
        size_t done;       /* migrations that are applied */
        bool code_current; /* functions and views are those of this program */
        int outcome;       /* of migrate_plan() */
        struct errinfo why;
};

static int read_view(struct pg *pg, struct view *v)
{
        char sha256[MIGRATE_SHA256_SIZE];
        *v = (struct view){.why = ERRINFO_INIT};
        int code = migrate_read_state(pg, &v->state);
        if (code != EXIT_OK)
                return code;
        v->outcome = migrate_plan(sql_migrations, sql_migrations_count, v->state.applied, v->state.n_applied,
                                  &v->done, &v->why);
        migrate_code_sha256(sql_code, sql_code_count, sha256);
        v->code_current = v->state.code_sha256 != NULL && strcmp(v->state.code_sha256, sha256) == 0;
        return EXIT_OK;
}

static bool is_current(const struct view *v)
{
        return v->outcome == MIGRATE_PLAN_OK && v->done == sql_migrations_count && v->code_current;
}

static const char *applied_at(const struct view *v, size_t i)
{
        return i < v->state.n_applied ? v->state.applied_at[i] : NULL;
}

static void view_json(const struct view *v, struct strbuf *sb)
{
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_kbool(j, "current", is_current(v));
        json_out_kstr(j, "refused", v->outcome == MIGRATE_PLAN_OK ? NULL : v->why.text);
        json_out_kbool(j, "code_current", v->code_current);
        json_out_key(j, "migrations");
        json_out_array(j);
        for (size_t i = 0; i < sql_migrations_count; i++) {
                json_out_object(j);
                json_out_kint(j, "version", migrate_version(&sql_migrations[i]));
                json_out_kstr(j, "name", sql_migrations[i].name);
                json_out_kstr(j, "sha256", sql_migrations[i].sha256);
                json_out_kstr(j, "applied_at", applied_at(v, i));
                json_out_object_end(j);
        }
        json_out_array_end(j);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
        strbuf_addch(sb, '\n');
}

static void view_table(const struct view *v, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {
                {.title = "MIGRATION"}, {.title = "SHA-256"}, {.title = "APPLIED"}};
        struct table t;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < sql_migrations_count; i++) {
                _cleanup_(freep) char *sha256 = xstrndup(sql_migrations[i].sha256, 12);
                table_add(&t, sql_migrations[i].name);
                table_add(&t, sha256);
                table_add(&t, applied_at(v, i) != NULL ? applied_at(v, i) : "not yet");
        }
        table_add(&t, "functions and views");
        table_add(&t, NULL);
        table_add(&t, v->code_current ? "current" : "not yet");
        table_print(&t, term, sb);
        table_deinit(&t);
}

static int list(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        struct view v;
        int code = read_view(c->pg, &v);
        if (code == EXIT_OK) {
                if (c->json)
                        view_json(&v, &sb);
                else
                        view_table(&v, &c->term, &sb);
                code = ctl_print(&sb);
        }
        if (code == EXIT_OK && v.outcome != MIGRATE_PLAN_OK)
                code = ctl_fail(EXIT_FAILED, "%s", v.why.text);
        migrate_state_deinit(&v.state);
        return code;
}

static int check(struct ctl *c)
{
        struct view v;
        int code = read_view(c->pg, &v);
        if (code == EXIT_OK && v.outcome != MIGRATE_PLAN_OK)
                code = ctl_fail(EXIT_FAILED, "%s", v.why.text);
        else if (code == EXIT_OK && !is_current(&v)) {
                code = ctl_fail(EXIT_NOT_READY, "the database is not current: %zu migrations to apply%s",
                                sql_migrations_count - v.done,
                                v.code_current ? "" : ", functions and views differ");
                ctl_hint("run `orchctl migrate`; `orchctl migrate --list` shows them");
        } else if (code == EXIT_OK) {
                ctl_note("the database is current");
        }
        migrate_state_deinit(&v.state);
        return code;
}

static int print_report(const struct ctl *c, const struct migrate_report *report)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        if (!c->json) {
                if (report->migrations == 0 && !report->code)
                        ctl_note("nothing to do: the database is current");
                else
                        ctl_note("done: %zu migrations applied%s", report->migrations,
                                 report->code ? ", functions and views replaced" : "");
                return EXIT_OK;
        }
        struct json_out *j = json_out_new(true);
        json_out_object(j);
        json_out_kint(j, "migrations_applied", (int64_t)report->migrations);
        json_out_kbool(j, "code_replaced", report->code);
        json_out_object_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        strbuf_addch(&sb, '\n');
        return ctl_print(&sb);
}

static int run_migrate(struct ctl *c)
{
        struct migrate_report report = {.migrations = 0};
        const char *user = args_value(&c->args, "user");
        int64_t wait_ms;
        int code = ctl_duration_option(c, "wait", DEFAULT_WAIT_MS, &wait_ms);
        if (code == EXIT_OK)
                code = ctl_pg_as(c, user != NULL ? user : DEFAULT_USER);
        if (code != EXIT_OK)
                return code;
        if (args_has(&c->args, "list"))
                return list(c);
        if (args_has(&c->args, "check"))
                return check(c);
        code = migrate_apply(c->pg, ctl_now_ms() + wait_ms, &report);
        return code == EXIT_OK ? print_report(c, &report) : code;
}

const struct command command_migrate = {
        .name = "migrate",
        .group = GROUP_SUITE,
        .args = "",
        .summary = "bring the database to what this release needs",
        .text = "Applies the migrations that are built into this program and that the database does not have "
                "yet, then "
                "replaces the functions and views when they differ. Each migration is one transaction with "
                "its row in "
                "orch.schema_migration: stopping it at any moment leaves nothing half-done, and running it "
                "again goes "
                "on. Run twice, it says that there is nothing to do. It is safe while the suite runs.\n"
                "\n"
                "Refused: a database that is newer than this program, and a migration that was edited after "
                "it had been "
                "applied.\n"
                "\n"
                "It connects as the user that the option \"database\" names, else as --user. That user must "
                "be able to "
                "make roles, or the roles orch_* must exist. Migrations need a direct connection, not a "
                "pooler in "
                "transaction mode.",
        .json = "With --list: {\"current\", \"refused\" (why, or null), \"code_current\", \"migrations\": "
                "[{\"version\", "
                "\"name\", \"sha256\", \"applied_at\" (or null)}]}. Else: {\"migrations_applied\", "
                "\"code_replaced\"}.",
        .options =
                (const struct command_option[]){
                        {"check", 0, NULL, "change nothing; exit 3 when something is to be applied"},
                        {"list", 0, NULL, "change nothing; show every migration and when it was applied"},
                        {"user", 0, "NAME",
                         "connect as this database user when \"database\" names none (orch)"},
                        {"wait", 0, "TIME", "how long to wait for another migration and for locks (60s)"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl migrate", "Prepare a new database, or bring it up to this release"},
                        {"orchctl migrate --check", "In a script: is the database ready for this release?"},
                        {"orchctl migrate --user postgres --wait 5m", "As another user, with more patience"},
                        {.line = NULL},
                },
        .run = run_migrate,
};
