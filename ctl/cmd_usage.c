/* cmd_usage.c - orchctl usage: what agents used, and what that cost. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

static void render_usage(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column days[] = {
                {"day", {.title = "DAY"}},
                {"repo", {.title = "REPO"}},
                {"model", {.title = "MODEL"}},
                {"runs", {.title = "RUNS", .right = true}},
                {"input", {.title = "IN", .right = true}},
                {"output", {.title = "OUT", .right = true}},
                {"cache_read", {.title = "REMEMBERED", .right = true}},
                {"usd", {.title = "USD", .right = true}},
                {"wasted_usd", {.title = "IN VAIN", .right = true}},
        };
        static const struct show_column items[] = {
                {"work_item", {.title = "ITEM"}},
                {"runs", {.title = "RUNS", .right = true}},
                {"input", {.title = "IN", .right = true}},
                {"output", {.title = "OUT", .right = true}},
                {"usd", {.title = "USD", .right = true}},
                {"wasted_usd", {.title = "IN VAIN", .right = true}},
        };
        if (json_len(json_get(doc, "days")) == 0) {
                strbuf_addf(sb, "No agent has said what it used since %s.\n", show_str(doc, "since"));
                return;
        }
        show_rows(json_get(doc, "days"), days, ARRAY_SIZE(days), term, sb);
        strbuf_addch(sb, '\n');
        show_rows(json_get(doc, "items"), items, ARRAY_SIZE(items), term, sb);
}

static int run_usage(struct ctl *c)
{
        int64_t days;
        int code = ctl_int_option(c, "days", 1, 366, 7, &days);
        if (code != EXIT_OK)
                return code;
        _cleanup_(freep) char *text = xasprintf("%lld", (long long)days);
        const char *params[] = {text};
        return show_document(c, &Q_CTL_USAGE, params, render_usage);
}

const struct command command_usage = {
        .name = "usage",
        .group = GROUP_LOOK,
        .args = "",
        .options = (const struct command_option[]){{"days", 0, "N", "so many days, today among them; 7"},
                                                   {.name = NULL}},
        .summary = "show what agents used, and what that cost",
        .text = "By day (UTC), repo and model, and the dearest work items of these days with all that they "
                "ever "
                "used. Runs "
                "under way and runs that were killed count. IN VAIN is the part of runs that did not "
                "succeed. "
                "Only agents of the adapter claude say what they use.",
        .json = "{\"since\", \"days\": [{\"day\", \"repo\", \"model\", \"runs\", \"input\", \"output\", "
                "\"cache_read\", "
                "\"cache_write\", \"usd\", \"wasted_usd\"}], \"items\": [{\"work_item\", \"runs\", "
                "\"input\", "
                "\"output\", "
                "\"usd\", \"wasted_usd\"}]}",
        .examples = (const struct command_example[]){{"orchctl usage", "The last seven days"},
                                                     {"orchctl usage --days 30", "The last thirty"},
                                                     {.line = NULL}},
        .run = run_usage,
};
