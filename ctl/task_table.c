/* task_table.c - rows of live tasks. */
#include "ctl/task_table.h"

#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"

static const struct table_column columns[] = {
        {.title = "ITEM"},
        {.title = "STAGE"},
        {.title = "ROLE"},
        {.title = "RUNS FOR", .right = true},
        {.title = "NOW", .shrinks = true},
        {.title = "TITLE", .shrinks = true},
};

static const struct json *first_wait(const struct json *task)
{
        return json_at(json_get(task, "waits"), 0);
}

bool task_waits_for_person(const struct json *task)
{
        const char *axis = show_str(first_wait(task), "axis");
        return strcmp(axis, "person") == 0 || strcmp(axis, "escalated") == 0;
}

static enum term_style now_style(const struct json *task)
{
        const char *axis = show_str(first_wait(task), "axis");
        if (strcmp(axis, "running") == 0)
                return TERM_GREEN;
        if (strcmp(axis, "escalated") == 0)
                return TERM_RED;
        return strcmp(axis, "person") == 0 ? TERM_YELLOW : TERM_PLAIN;
}

/* The first reason, and how many more there are. */
static void add_now(const struct json *task, struct strbuf *sb)
{
        size_t n = json_len(json_get(task, "waits"));
        strbuf_addstr(sb, show_str(first_wait(task), "reason"));
        if (n > 1)
                strbuf_addf(sb, " (and %zu more)", n - 1);
}

static void add_row(struct table *t, const struct json *task)
{
        _cleanup_(strbuf_deinit) struct strbuf now = STRBUF_INIT;
        int64_t running_s = 0;
        add_now(task, &now);
        table_add_style(t, show_str(task, "work_item"), TERM_BOLD);
        table_add(t, show_str(task, "stage"));
        table_add(t, show_str(task, "role"));
        if (json_int(json_get(task, "running_s"), &running_s))
                table_add_duration(t, running_s);
        else
                table_add(t, NULL);
        table_add_style(t, now.buf, now_style(task));
        table_add(t, show_str(task, "title"));
}

void task_table(const struct json *tasks, const struct term *term, struct strbuf *sb)
{
        struct table t;
        if (json_type(tasks) != JSON_ARRAY) {
                strbuf_addstr(sb, "The tasks cannot be shown: ");
                text_clean(sb, show_str(tasks, "error"));
                strbuf_addch(sb, '\n');
                return;
        }
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(tasks); i++)
                add_row(&t, json_at(tasks, i));
        table_print(&t, term, sb);
        table_deinit(&t);
}

void task_line(const struct json *task, struct strbuf *sb)
{
        _cleanup_(strbuf_deinit) struct strbuf now = STRBUF_INIT;
        add_now(task, &now);
        const char *parts[] = {show_str(task, "work_item"), show_str(task, "stage"), show_str(task, "role"),
                               now.buf};
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                if (*parts[i] == '\0')
                        continue;
                strbuf_addstr(sb, i > 0 ? "  " : "");
                text_clean(sb, parts[i]);
        }
}
