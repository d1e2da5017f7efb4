/* cmd_escalation.c - orchctl ack and escalation list: what waits for people because nothing automatic is
 * left. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

static int run_ack(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_value(&c->args, "comment")};
        return show_document(c, &Q_CTL_ACK, params, show_message);
}

static void render_escalations(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"work_item", {.title = "ITEM"}},           {"stage", {.title = "STAGE"}},
                {"severity", {.title = "SEVERITY"}},        {"raised_at", {.title = "SINCE"}},
                {"acked_by", {.title = "LOOKED AFTER BY"}}, {"reason", {.title = "REASON", .shrinks = true}},
        };
        const struct json *escalations = json_get(doc, "escalations");
        if (json_len(escalations) == 0)
                strbuf_addstr(sb, "Nothing is escalated.\n");
        else
                show_rows(escalations, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_escalation_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_ESCALATION_LIST, NULL, render_escalations);
}

const struct command command_ack = {
        .name = "ack",
        .group = GROUP_ACT,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "say that you look after a work item that was escalated",
        .text = "An alert that nobody acknowledges is repeated twice (setting escalation_reraise_s), and "
                "then "
                "no more. This ends that, and changes nothing else: the work item goes on with `orchctl "
                "retry`, `approve` or `reject`, or ends with `orchctl cancel`. Acknowledging twice changes "
                "nothing.",
        .json = "The task after it: {\"work_item\", \"stage\", \"escalation\", \"waits\", \"message\", ...}.",
        .options = (const struct command_option[]){{"comment", 0, "TEXT", "kept in the history"},
                                                   {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl ack DEMO-1", "It is mine; no more alerts"},
                        {.line = NULL},
                },
        .run = run_ack,
};

const struct command command_escalation_list = {
        .name = "escalation list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list what waits for people because nothing automatic is left to do",
        .text = "Urgent ones first, then those that nobody looks after; at most 200.",
        .json = "{\"escalations\": [{\"work_item\", \"repo\", \"stage\", \"severity\", \"reason\", "
                "\"raised_at\", \"raised_again\", \"acked_by\", \"acked_at\"}]}",
        .examples = (const struct command_example[]){{"orchctl escalation list", "What needs me?"},
                                                     {.line = NULL}},
        .run = run_escalation_list,
};
