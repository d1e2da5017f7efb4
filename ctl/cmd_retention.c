/* cmd_retention.c - orchctl retention: what is kept for how long, how much that is, and what goes next. */
#include "ctl/commands.h"

#include <inttypes.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

/* A count as the database gives it: a number, or at least so many; null: it has none. */
static void add_count(struct table *t, const struct json *count)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        int64_t n = 0;
        if (json_int(count, &n)) {
                table_add_int(t, n);
        } else if (json_int(json_get(count, "at_least"), &n)) {
                strbuf_addf(&text, "over %" PRId64, n - 1);
                table_add(t, text.buf);
        } else {
                table_add(t, NULL);
        }
}

static void format_size(const struct json *bytes, struct strbuf *sb)
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
        int64_t n = 0;
        size_t unit = 0;
        (void)json_int(bytes, &n); /* always there */
        for (; n >= 10240 && unit + 1 < ARRAY_SIZE(units); unit++)
                n /= 1024;
        strbuf_addf(sb, "%" PRId64 " %s", n, units[unit]);
}

static void render_rules(const struct json *rules, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {
                {.title = "RULE"},
                {.title = "KEPT FOR"},
                {.title = "ROWS", .right = true},
                {.title = "TABLE", .right = true},
                {.title = "DUE", .right = true},
                {.title = "NEXT TICK", .right = true},
                {.title = "WHAT", .shrinks = true},
        };
        struct table t;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(rules); i++) {
                const struct json *rule = json_at(rules, i);
                _cleanup_(strbuf_deinit) struct strbuf size = STRBUF_INIT;
                format_size(json_get(rule, "bytes"), &size);
                table_add(&t, show_str(rule, "rule"));
                table_add(&t, show_str(rule, "kept"));
                add_count(&t, json_get(rule, "rows"));
                table_add(&t, size.buf);
                add_count(&t, json_get(rule, "due"));
                add_count(&t, json_get(rule, "next"));
                table_add(&t, show_str(rule, "about"));
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

static void render_for_ever(const struct json *tables, struct strbuf *sb)
{
        strbuf_addstr(sb, "Kept for ever:");
        for (size_t i = 0; i < json_len(tables); i++) {
                strbuf_addf(sb, "%s %s ", i > 0 ? "," : "", show_str(json_at(tables, i), "table"));
                format_size(json_get(json_at(tables, i), "bytes"), sb);
        }
        strbuf_addf(sb, "\n\n");
}

static void render_retention(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column hosts[] = {
                {"host", {.title = "HOST"}},
                {"seen_at", {.title = "LAST SEEN"}},
                {"logs", {.title = "LOGS KEPT FOR"}},
                {"files_next", {.title = "FOLDERS GO NEXT", .right = true}},
                {"deploys_next", {.title = "DEPLOYS GO NEXT", .right = true}},
                {"commits", {.title = "COMMITS KEPT FOR"}},
                {"commits_next", {.title = "COMMITS GO NEXT", .right = true}},
        };
        static const struct show_column kept[] = {
                {"host", {.title = "HOST"}},      {"folder", {.title = "FOLDER IN runs/"}},
                {"work_item", {.title = "ITEM"}}, {"role", {.title = "ROLE"}},
                {"ended_at", {.title = "ENDED"}}, {"reason", {.title = "STAYS BECAUSE", .shrinks = true}},
        };
        static const struct show_column room[] = {
                {"host", {.title = "HOST"}},        {"what", {.title = "WATCHED"}},
                {"path", {.title = "PATH"}},        {"bad", {.title = "BAD"}},
                {"changed_at", {.title = "SINCE"}}, {"detail", {.title = "DETAIL", .shrinks = true}},
        };
        render_rules(json_get(doc, "rules"), term, sb);
        strbuf_addch(sb, '\n');
        render_for_ever(json_get(doc, "for_ever"), sb);
        show_rows(json_get(doc, "hosts"), hosts, ARRAY_SIZE(hosts), term, sb);
        if (json_len(json_get(doc, "room")) > 0) {
                strbuf_addch(sb, '\n');
                show_rows(json_get(doc, "room"), room, ARRAY_SIZE(room), term, sb);
        }
        if (json_len(json_get(doc, "kept")) > 0) {
                strbuf_addstr(sb, "\nTheir time has come, and they stay:\n");
                show_rows(json_get(doc, "kept"), kept, ARRAY_SIZE(kept), term, sb);
        }
}

static int run_retention(struct ctl *c)
{
        return show_document(c, &Q_CTL_RETENTION, NULL, render_retention);
}

const struct command command_retention = {
        .name = "retention",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "show what is kept for how long, how much that is, and what goes next",
        .text = "How long is said by the settings keep_..._days (orchctl config set). The reaper removes "
                "what is "
                "due, a bounded number in each tick: NEXT TICK is exactly what the next one takes. History "
                "and "
                "audit are kept for ever; asof looks back for keep_state_days.\n\n"
                "A folder of a run stays, and is listed, when what the agent left in it is nowhere else. "
                "Save it, "
                "remove the folder by hand, and the next look finds it gone.",
        .json = "{\"at\", \"asof_from\", \"rules\": [{\"rule\", \"about\", \"setting\", \"kept\", \"rows\", "
                "\"table\", \"bytes\", \"due\", \"next\"}], \"for_ever\": [{\"table\", \"bytes\"}], "
                "\"hosts\": "
                "[{\"host\", \"seen_at\", \"logs\", \"files_next\", \"deploys_next\", \"commits\", "
                "\"commits_next\"}], "
                "\"kept\": "
                "[{\"host\", \"folder\", \"work_item\", \"role\", \"ended_at\", \"reason\"}], \"room\": "
                "[{\"host\", \"what\", \"path\", \"bad\", \"detail\", \"free_bytes\", "
                "\"free_inodes\", \"changed_at\", \"seen_at\"}]}; a count that "
                "is too "
                "long to count is {\"at_least\"}",
        .examples =
                (const struct command_example[]){{"orchctl retention", "What goes next"},
                                                 {"orchctl config set keep_logs_days 7 && orchctl retention",
                                                  "Keep logs for a week; see what goes then"},
                                                 {.line = NULL}},
        .run = run_retention,
};
