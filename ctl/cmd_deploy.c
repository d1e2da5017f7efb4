/* cmd_deploy.c - orchctl deploy list and observe: what was deployed, and what production says of it. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define OBSERVATION_JSON                                                                                     \
        "\"id\", \"work_item\", \"repo\", \"state\", \"method\", \"target\", \"sha\", \"round\", "           \
        "\"healthy\", \"failed\", \"no_data\", \"open\", \"checks_total\", \"window_s\", "                   \
        "\"degraded_at\", \"reason\", \"decided_by\", \"comment\", \"began_at\", \"ended_at\", "             \
        "\"told_at\", \"rollback\", \"rollback_reason\""

static void render_deploys(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column deploy_columns[] = {
                {"work_item", {.title = "ITEM"}},    {"kind", {.title = "KIND"}},
                {"state", {.title = "STATE"}},       {"initiated_at", {.title = "BEGAN"}},
                {"finished_at", {.title = "ENDED"}}, {"host", {.title = "HOST"}},
                {"exit_code", {.title = "EXIT"}},    {"reason", {.title = "REASON", .shrinks = true}},
        };
        static const struct show_column watch_columns[] = {
                {"work_item", {.title = "ITEM"}},    {"state", {.title = "PRODUCTION"}},
                {"healthy", {.title = "HEALTHY"}},   {"failed", {.title = "FAILED"}},
                {"no_data", {.title = "NO DATA"}},   {"open", {.title = "TO COME"}},
                {"began_at", {.title = "SINCE"}},    {"ended_at", {.title = "UNTIL"}},
                {"rollback", {.title = "ROLLBACK"}}, {"reason", {.title = "REASON", .shrinks = true}},
        };
        const struct json *deploys = json_get(doc, "deploys"), *watches = json_get(doc, "observations");
        if (json_len(deploys) == 0)
                strbuf_addstr(sb, "Nothing was deployed.\n");
        else
                show_rows(deploys, deploy_columns, ARRAY_SIZE(deploy_columns), term, sb);
        if (json_len(watches) > 0) {
                strbuf_addch(sb, '\n');
                show_rows(watches, watch_columns, ARRAY_SIZE(watch_columns), term, sb);
        }
}

static int run_deploy_list(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0)};
        return show_document(c, &Q_CTL_DEPLOY_LIST, params, render_deploys);
}

static int run_observe(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_word(&c->args, 1),
                                args_value(&c->args, "comment")};
        return show_document(c, &Q_CTL_OBSERVE, params, show_message);
}

const struct command command_deploy_list = {
        .name = "deploy list",
        .group = GROUP_LOOK,
        .args = "[ITEM]",
        .max_args = 1,
        .summary = "list the newest deploys and rollbacks, and what production says since",
        .text = "A deploy whose outcome is UNKNOWN waits for a person: `orchctl approve ITEM` when it went "
                "well, `orchctl reject ITEM --comment TEXT` when it did not. A watch that is INCONCLUSIVE "
                "waits for `orchctl observe`.",
        .json = "{\"deploys\": [{\"id\", \"work_item\", \"repo\", \"kind\", \"state\", \"sha\", \"host\", "
                "\"log\", \"exit_code\", \"reason\", \"resolved_by\", \"awaiting_since\", "
                "\"initiated_at\", \"finished_at\"}], \"observations\": [{" OBSERVATION_JSON "}]}",
        .examples =
                (const struct command_example[]){{"orchctl deploy list", "What was deployed, and is it well"},
                                                 {"orchctl deploy list DEMO-1", "The deploys of one item"},
                                                 {.line = NULL}},
        .run = run_deploy_list,
};

const struct command command_observe = {
        .name = "observe",
        .group = GROUP_ACT,
        .args = "ITEM VERDICT",
        .min_args = 2,
        .max_args = 2,
        .summary = "say whether production is healthy or degraded after a deploy",
        .text = "For a watch that is INCONCLUSIVE: its probes have found out too little, and no data is "
                "never "
                "healthy. `degraded` may also be said while the watch goes on; it freezes the repo, as when "
                "the probes say so. A verdict that was given stands.",
        .json = "The watch after it: {" OBSERVATION_JSON ", \"message\"}",
        .options =
                (const struct command_option[]){
                        {"comment", 0, "TEXT", "kept in the history, and in the report"}, {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl observe DEMO-1 healthy --comment 'looked at it myself'",
                         "End a watch without data"},
                        {"orchctl observe DEMO-1 degraded", "Freeze, before the probes notice"},
                        {.line = NULL}},
        .run = run_observe,
};
