/*
 * cmd_watch.c - orchctl watch: work items as they move. On a terminal one table that is drawn again in place,
 * else one line per change. A notification makes it look at once; without any it looks once in POLL_MS all
 * the same.
 */
#include "ctl/commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/pg.h"
#include "ctl/show.h"
#include "ctl/task_table.h"
#include "ctl/text.h"
#include "queries.h"

#define POLL_MS       2000
#define REDRAW_MS     1000  /* on a terminal the run times go on */
#define LOOK_LEAST_MS 200   /* notifications may come in swarms */
#define GONE_MAX_MS   60000 /* without a database for longer: give up */

enum until { UNTIL_DONE, UNTIL_WAITING };

struct watch {
        struct ctl *c;
        char *names; /* JSON array of the items; NULL: all live tasks */
        enum until until;
        int64_t deadline_ms; /* INT64_MAX: none */
        char **last;         /* per row, the line that was printed last */
        size_t n_last;
        size_t drawn; /* lines of the table that stands on the terminal */
};

static char *names_json(const struct args *args)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        if (args->n_words == 0)
                return NULL;
        struct json_out *j = json_out_new(false);
        json_out_array(j);
        for (size_t i = 0; i < args->n_words; i++)
                json_out_str(j, args->words[i]);
        json_out_array_end(j);
        json_out_finish(j, &sb);
        json_out_free(j);
        return strbuf_take(&sb);
}

/* --- has it ended?
 * ------------------------------------------------------------------------------------------- */

static bool has_ended(const struct watch *w, const struct json *task)
{
        bool terminal = false;
        (void)json_bool(json_get(task, "terminal"), &terminal); /* live tasks do not say it */
        return terminal || (w->until == UNTIL_WAITING && task_waits_for_person(task));
}

static bool all_ended(const struct watch *w, const struct json *tasks)
{
        for (size_t i = 0; i < json_len(tasks); i++)
                if (!has_ended(w, json_at(tasks, i)))
                        return false;
        return json_type(tasks) == JSON_ARRAY;
}

/* --- printing
 * ------------------------------------------------------------------------------------------------ */

/* Draws over the table of the last time. A table higher than the screen could not be drawn over: it is cut.
 */
static int draw(struct watch *w, const struct json *tasks)
{
        _cleanup_(strbuf_deinit) struct strbuf table = STRBUF_INIT, out = STRBUF_INIT;
        term_measure(&w->c->term);
        task_table(tasks, &w->c->term, &table);
        if (w->drawn > 0)
                strbuf_addf(&out, "\033[%zuA\033[J", w->drawn);
        const char *at = table.buf;
        for (w->drawn = 0; *at != '\0' && w->drawn + 2 < w->c->term.rows; w->drawn++) {
                size_t len = strcspn(at, "\n") + 1;
                strbuf_add(&out, at, len);
                at += len;
        }
        if (*at != '\0') {
                strbuf_addstr(&out, "(more than fits)\n");
                w->drawn++;
        }
        return ctl_print(&out);
}

static void remember(struct watch *w, size_t i, char *line)
{
        while (w->n_last <= i) {
                w->last = xrealloc(w->last, (w->n_last + 1) * sizeof(*w->last));
                w->last[w->n_last++] = NULL;
        }
        free(w->last[i]);
        w->last[i] = line;
}

static bool is_new(const struct watch *w, size_t i, const char *line)
{
        return i >= w->n_last || w->last[i] == NULL || strcmp(w->last[i], line) != 0;
}

static void add_clock(struct strbuf *sb)
{
        char clock[16] = "";
        time_t now = time(NULL);
        struct tm tm;
        if (localtime_r(&now, &tm) != NULL && strftime(clock, sizeof(clock), "%H:%M:%S", &tm) > 0)
                strbuf_addstr(sb, clock);
}

/* One line per task that changed; returns whether any did. */
static bool add_changes(struct watch *w, const struct json *tasks, struct strbuf *out)
{
        size_t before = out->len;
        for (size_t i = 0; i < json_len(tasks); i++) {
                struct strbuf line = STRBUF_INIT;
                task_line(json_at(tasks, i), &line);
                if (is_new(w, i, line.buf)) {
                        add_clock(out);
                        strbuf_addf(out, "  %s\n", line.buf);
                }
                remember(w, i, strbuf_take(&line));
        }
        bool fewer = w->n_last > json_len(tasks);
        for (size_t i = json_len(tasks); i < w->n_last; i++)
                remember(w, i, NULL);
        w->n_last = json_len(tasks);
        return fewer || out->len > before;
}

static int print_changes(struct watch *w, const struct json *tasks, const struct strbuf *json)
{
        _cleanup_(strbuf_deinit) struct strbuf out = STRBUF_INIT;
        bool changed = add_changes(w, tasks, &out);
        if (!w->c->json)
                return ctl_print(&out);
        strbuf_reset(&out);
        if (changed) {
                strbuf_add(&out, json->buf, json->len);
                strbuf_addch(&out, '\n');
        }
        return ctl_print(&out);
}

static int print_tasks(struct watch *w, const struct json *tasks, const struct strbuf *json)
{
        if (json_type(tasks) != JSON_ARRAY)
                return ctl_fail(EXIT_FAILED, "the tasks cannot be shown: %s", show_str(tasks, "error"));
        return w->c->term.tty && !w->c->json ? draw(w, tasks) : print_changes(w, tasks, json);
}

/* --- looking
 * ------------------------------------------------------------------------------------------------- */

/* A database that fails over or restarts does not end the watch. */
static int reconnect(struct watch *w)
{
        struct ctl *c = w->c;
        struct errinfo err = ERRINFO_INIT;
        int64_t give_up_ms = ctl_now_ms() + GONE_MAX_MS;
        ctl_note("lost the database (%s); waiting for it", pg_error(c->pg));
        w->drawn = 0;
        pg_close(take_ptr(c->pg));
        while (ctl_pg_quiet(c, &err) != 0) {
                if (ctl_now_ms() >= give_up_ms || ctl_now_ms() >= w->deadline_ms)
                        return ctl_fail(EXIT_TEMPORARY, "the database did not come back: %s", err.text);
                ctl_sleep_ms(LOOK_LEAST_MS);
        }
        return pg_exec(c->pg, "listen orch_work") == 0 ? EXIT_OK : pg_report(c->pg);
}

static int fetch(struct watch *w, struct strbuf *json)
{
        const char *params[] = {w->names};
        const struct db_statement *st = w->names != NULL ? &Q_CTL_WATCH : &Q_CTL_STATUS;
        for (;;) {
                PGresult *res = pg_query(w->c->pg, st, params);
                if (res != NULL) {
                        strbuf_addstr(json, PQgetvalue(res, 0, 0));
                        PQclear(res);
                        return EXIT_OK;
                }
                if (pg_exit_code(pg_sqlstate(w->c->pg)) != EXIT_TEMPORARY)
                        return pg_report(w->c->pg);
                int code = reconnect(w);
                if (code != EXIT_OK)
                        return code;
        }
}

static int look(struct watch *w, bool *ret_ended)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        struct json_doc *doc = NULL;
        int code = fetch(w, &json);
        if (code == EXIT_OK)
                code = show_parse(&json, &doc);
        if (code != EXIT_OK)
                return code;
        const struct json *tasks = json_get(json_root(doc), "tasks");
        *ret_ended = all_ended(w, tasks);
        code = print_tasks(w, tasks, &json);
        json_doc_free(doc);
        return code;
}

static int watch(struct watch *w)
{
        int each_ms = w->c->term.tty ? REDRAW_MS : POLL_MS;
        bool ended = false;
        for (;;) {
                int code = look(w, &ended);
                if (code != EXIT_OK || ended)
                        return code;
                int64_t left_ms = w->deadline_ms - ctl_now_ms();
                if (left_ms <= 0)
                        return ctl_fail(EXIT_NOT_READY, "not all of them are %s in time",
                                        w->until == UNTIL_DONE ? "done" : "waiting or done");
                int64_t wait_ms = left_ms < each_ms ? left_ms : each_ms;
                if (pg_wait_notify(w->c->pg, (int)wait_ms))
                        ctl_sleep_ms(LOOK_LEAST_MS < left_ms ? LOOK_LEAST_MS : left_ms);
        }
}

static int read_until(const struct ctl *c, enum until *ret)
{
        const char *until = args_value(&c->args, "until");
        *ret = until != NULL && strcmp(until, "waiting") == 0 ? UNTIL_WAITING : UNTIL_DONE;
        if (until == NULL || *ret == UNTIL_WAITING || strcmp(until, "done") == 0)
                return EXIT_OK;
        return ctl_fail(EXIT_USAGE, "--until is \"%s\", and wants done or waiting", until);
}

static int run_watch(struct ctl *c)
{
        struct watch w = {.c = c};
        int64_t timeout_ms;
        int code = read_until(c, &w.until);
        if (code == EXIT_OK)
                code = ctl_duration_option(c, "timeout", -1, &timeout_ms);
        if (code == EXIT_OK)
                code = ctl_pg(c);
        if (code == EXIT_OK && pg_exec(c->pg, "listen orch_work") != 0)
                code = pg_report(c->pg);
        if (code != EXIT_OK)
                return code;
        w.deadline_ms = timeout_ms < 0 ? INT64_MAX : ctl_now_ms() + timeout_ms;
        w.names = names_json(&c->args);
        code = watch(&w);
        for (size_t i = 0; i < w.n_last; i++)
                free(w.last[i]);
        free(w.last);
        free(w.names);
        return code;
}

const struct command command_watch = {
        .name = "watch",
        .group = GROUP_LOOK,
        .args = "[ITEM...]",
        .max_args = COMMAND_ANY_ARGS,
        .summary = "show work items as they move, until they are done",
        .text = "On a terminal a table that is drawn again in place, else one line per change. Ends when "
                "every ITEM is done "
                "or cancelled; with --until waiting also when what is left waits for a person. Without ITEM: "
                "all live "
                "tasks, until there is none. It waits for a database that restarts.",
        .json = "One document per change, each on a line: {\"tasks\": [{\"work_item\", \"title\", \"stage\", "
                "\"terminal\", "
                "\"role\", \"running_s\", \"waits\"}]}; without ITEM those of `orchctl status`.",
        .options =
                (const struct command_option[]){
                        {"until", 0, "done|waiting", "when to end (done)"},
                        {"timeout", 0, "TIME", "exit 3 when it has not ended by then (never)"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl watch", "Look on"},
                        {"orchctl watch DEMO-1 DEMO-2 --timeout 10m", "In a script: wait for two items"},
                        {"orchctl watch DEMO-1 --until waiting && orchctl item show DEMO-1",
                         "Come back when I am needed"},
                        {.line = NULL},
                },
        .run = run_watch,
};
