/* cmd_act.c - orchctl act list: everything that can be done, as command, function and route. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

static void render_acts(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"command", {.title = "COMMAND"}},
                {"key", {.title = "FUNCTION"}},
                {"method", {.title = "METHOD"}},
                {"path", {.title = "PATH"}},
                {"about", {.title = "WHAT IT DOES", .shrinks = true}},
        };
        show_rows(json_get(doc, "acts"), columns, ARRAY_SIZE(columns), term, sb);
}

static int run_act_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_ACT_LIST, NULL, render_acts);
}

const struct command command_act_list = {
        .name = "act list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list everything that can be done: commands, SQL functions, HTTP routes",
        .text = "Each act is one SQL function, which psql can call as well. POST acts, GET looks.",
        .json = "{\"acts\": [{\"key\", \"method\", \"path\", \"scope\", \"about\", \"command\", "
                "\"parameters\": [{\"name\", \"in\", \"type\", \"required\", \"about\"}]}]}",
        .examples =
                (const struct command_example[]){{"orchctl act list --json | jq '.acts[] | select(.key == "
                                                  "\"freeze\").parameters'",
                                                  "What an act is told"},
                                                 {.line = NULL}},
        .run = run_act_list,
};
