/* cmd_asof.c - orchctl asof: how things stood at an instant, and what has changed since. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "queries.h"

static void add_line(struct strbuf *sb, const struct term *term, const char *title, const char *text)
{
        strbuf_addf(sb, "%s%s%s: ", term_style(term, TERM_BOLD), title, term_style(term, TERM_PLAIN));
        text_clean(sb, text);
        strbuf_addch(sb, '\n');
}

/* "the developer's job was running", or why there was none. */
static void job_text(const struct json *task, struct strbuf *sb)
{
        const struct json *job = json_get(task, "job");
        if (json_type(job) != JSON_OBJECT)
                strbuf_addstr(sb, "-");
        else
                strbuf_addf(sb, "%s: %s", show_str(job, "role"), show_str(job, "status"));
}

static void because_text(const struct json *task, struct strbuf *sb)
{
        const struct json *because = json_get(task, "because");
        if (json_type(because) != JSON_OBJECT)
                return;
        strbuf_addf(sb, "%s by %s", show_str(because, "kind"), show_str(because, "actor"));
        if (json_str(json_get(because, "to")) != NULL)
                strbuf_addf(sb, ", %s to %s", show_str(because, "from"), show_str(because, "to"));
}

static void add_task(struct table *t, const struct json *task)
{
        _cleanup_(strbuf_deinit) struct strbuf job = STRBUF_INIT;
        _cleanup_(strbuf_deinit) struct strbuf because = STRBUF_INIT;
        job_text(task, &job);
        because_text(task, &because);
        bool paused = json_str(json_get(task, "paused_at")) != NULL;
        _cleanup_(freep) char *stage = xasprintf("%s%s", show_str(task, "stage"), paused ? " (paused)" : "");
        table_add(t, show_str(task, "work_item"));
        table_add_style(t, stage, paused ? TERM_YELLOW : TERM_PLAIN);
        table_add(t, job.buf);
        table_add(t, because.buf);
        table_add(t, show_str(task, "title"));
}

static void add_tasks(const struct json *tasks, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "ITEM"},
                                                      {.title = "STAGE"},
                                                      {.title = "JOB"},
                                                      {.title = "LAST HAPPENING"},
                                                      {.title = "TITLE", .shrinks = true}};
        struct table t;
        if (json_len(tasks) == 0) {
                strbuf_addstr(sb, "No work item was under way.\n");
                return;
        }
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(tasks); i++)
                add_task(&t, json_at(tasks, i));
        table_print(&t, term, sb);
        table_deinit(&t);
}

/* The freezes and the dependencies of one item, or the freezes of all repos. */
static void add_freezes(const struct json *freezes, const struct term *term, struct strbuf *sb)
{
        for (size_t i = 0; i < json_len(freezes); i++) {
                const struct json *freeze = json_at(freezes, i);
                _cleanup_(freep) char *line =
                        xasprintf("%s%s%s (by %s)", show_str(freeze, "repo"),
                                  *show_str(freeze, "repo") != '\0' ? ": " : "", show_str(freeze, "reason"),
                                  show_str(freeze, "frozen_by"));
                add_line(sb, term, "frozen", line);
        }
}

static void add_settings(const struct json *settings, const struct term *term, struct strbuf *sb)
{
        for (size_t i = 0; i < json_len(settings); i++) {
                const char *key = json_key_at(settings, i);
                _cleanup_(freep) char *line = xasprintf("%s = %s", key, show_str(settings, key));
                add_line(sb, term, "setting", line);
        }
}

static void render_asof(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        const struct json *tasks = json_get(doc, "tasks"), *only = json_at(tasks, 0);
        strbuf_addstr(sb, "As of ");
        text_clock(sb, show_str(doc, "at"));
        strbuf_addstr(sb, " UTC\n\n");
        add_tasks(tasks, term, sb);
        add_freezes(json_get(doc, "freezes"), term, sb);
        add_settings(json_get(doc, "settings"), term, sb);
        if (json_len(tasks) != 1)
                return;
        add_freezes(json_get(only, "freezes"), term, sb);
        const struct json *waited = json_get(only, "waited_for");
        for (size_t i = 0; i < json_len(waited); i++)
                add_line(sb, term, "depended on", json_str(json_at(waited, i)));
}

/* A value of a column, as short as it can be read. */
static void add_value(struct strbuf *sb, const struct json *value)
{
        int64_t n = 0;
        bool yes = false;
        if (json_str(value) != NULL)
                text_clean(sb, json_str(value));
        else if (json_int(value, &n))
                strbuf_addf(sb, "%lld", (long long)n);
        else if (json_bool(value, &yes))
                strbuf_addstr(sb, yes ? "true" : "false");
        else
                strbuf_addstr(sb, "-");
}

static void add_columns(const struct json *change, struct strbuf *sb)
{
        const struct json *before = json_get(change, "before"), *after = json_get(change, "after");
        const struct json *columns = json_type(after) == JSON_OBJECT ? after : before;
        for (size_t i = 0; i < json_len(columns); i++) {
                const char *key = json_key_at(columns, i);
                const struct json *old = json_get(before, key), *new = json_get(after, key);
                if (json_type(before) != JSON_OBJECT && json_type(new) == JSON_NULL)
                        continue; /* an empty column of a new row says nothing */
                strbuf_addf(sb, "    %s: ", key);
                if (json_type(before) == JSON_OBJECT) {
                        add_value(sb, old);
                        strbuf_addstr(sb, " -> ");
                }
                add_value(sb, new);
                strbuf_addch(sb, '\n');
        }
}

static void render_changes(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        const struct json *changes = json_get(doc, "changes");
        if (json_len(changes) == 0)
                strbuf_addstr(sb, "Nothing differs.\n");
        for (size_t i = 0; i < json_len(changes); i++) {
                const struct json *change = json_at(changes, i);
                bool began = json_type(json_get(change, "before")) != JSON_OBJECT;
                bool gone = json_type(json_get(change, "after")) != JSON_OBJECT;
                const char *item = show_str(change, "work_item");
                strbuf_addf(sb, "%s%s %s%s", term_style(term, TERM_BOLD), show_str(change, "what"),
                            *item != '\0' ? item : show_str(change, "key"), term_style(term, TERM_PLAIN));
                strbuf_addstr(sb, began ? ": new\n" : gone ? ": gone\n" : "\n");
                if (!gone)
                        add_columns(change, sb);
        }
}

static int run_asof(struct ctl *c)
{
        const char *until = args_value(&c->args, "until");
        const char *at[] = {args_word(&c->args, 0), args_word(&c->args, 1)};
        const char *between[] = {at[0], until, at[1]};
        if (args_has(&c->args, "changes") || until != NULL)
                return show_document(c, &Q_CTL_ASOF_CHANGES, between, render_changes);
        return show_document(c, &Q_CTL_ASOF, at, render_asof);
}

const struct command command_asof = {
        .name = "asof",
        .group = GROUP_LOOK,
        .args = "TIME [ITEM]",
        .min_args = 1,
        .max_args = 2,
        .summary = "show how things stood at an instant, or what has changed since",
        .text = "TIME is what PostgreSQL reads as one, in the database's time zone when it names none "
                "(\"14:30\" is "
                "today), or a span and \"ago\". Stage, job, leases and the last thing that had happened are "
                "shown for "
                "each work item that was under way, at most 200 of them; then freezes, and settings that "
                "were not "
                "the standard. For psql: orch.state_at(TIME) has every row of every table that is kept.",
        .json = "{\"at\", \"began\", \"tasks\": [{\"work_item\", \"stage\", \"job\", \"leases\", "
                "\"because\", ...}], "
                "\"freezes\", \"settings\"}; with --changes {\"from\", \"to\", \"changes\": [{\"what\", "
                "\"key\", "
                "\"work_item\", \"before\", \"after\"}]}",
        .options =
                (const struct command_option[]){
                        {"changes", 'c', NULL, "show what differs now instead"},
                        {"until", 'u', "TIME", "show what differed at this later time instead"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl asof '20 min ago'", "What was under way"},
                        {"orchctl asof 03:15 DEMO-2", "What one item waited for during the night"},
                        {"orchctl asof 03:15 --until 03:20", "What happened in these five minutes"},
                        {.line = NULL},
                },
        .run = run_asof,
};
