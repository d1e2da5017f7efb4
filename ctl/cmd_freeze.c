/* cmd_freeze.c - orchctl freeze, unfreeze and frozen: closing a repo to new work. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define FREEZES_JSON "\"freezes\": [{\"id\", \"reason\", \"work_item\", \"frozen_by\", \"frozen_at\"}]"

static int run_freeze(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_value(&c->args, "reason"),
                                args_value(&c->args, "item")};
        if (params[1] != NULL)
                return show_document(c, &Q_CTL_FREEZE, params, show_message);
        (void)ctl_fail(EXIT_USAGE, "freeze wants --reason TEXT");
        ctl_hint("it is what everybody reads who asks why nothing starts");
        return EXIT_USAGE;
}

static int run_unfreeze(struct ctl *c)
{
        return show_document(c, &Q_CTL_UNFREEZE, c->args.words, show_message);
}

static void render_frozen(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"repo", {.title = "REPO"}},
                {"frozen_at", {.title = "SINCE"}},
                {"frozen_by", {.title = "BY"}},
                {"work_item", {.title = "ITEM"}},
                {"reason", {.title = "REASON", .shrinks = true}},
        };
        const struct json *freezes = json_get(doc, "freezes");
        if (json_len(freezes) == 0)
                strbuf_addstr(sb, "No repo is frozen.\n");
        else
                show_rows(freezes, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_frozen(struct ctl *c)
{
        return show_document(c, &Q_CTL_FROZEN, NULL, render_frozen);
}

const struct command command_freeze = {
        .name = "freeze",
        .group = GROUP_ACT,
        .args = "REPO --reason TEXT",
        .min_args = 1,
        .max_args = 1,
        .summary = "close a repo to new work; what is under way goes on",
        .text = "No work item of the repo starts until `orchctl unfreeze`, whatever becomes of the one that "
                "the freeze is about. Freezing again adds a reason. Refused when a freeze would hold nothing "
                "up: switched off (serial_gate_freeze_enabled, serial_gate_enabled), or the repo is not in "
                "the scope (serial_gate_repos).",
        .json = "{\"repo\", \"frozen\", " FREEZES_JSON ", \"message\"}",
        .options =
                (const struct command_option[]){{"reason", 0, "TEXT", "why; required"},
                                                {"item", 0, "ITEM", "work item of the repo that caused it"},
                                                {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl freeze demo --reason 'production is degraded' --item DEMO-1",
                         "Let nothing new start"},
                        {.line = NULL},
                },
        .run = run_freeze,
};

const struct command command_unfreeze = {
        .name = "unfreeze",
        .group = GROUP_ACT,
        .args = "REPO",
        .min_args = 1,
        .max_args = 1,
        .summary = "open a frozen repo to new work again",
        .text = "Clears every freeze of the repo and says how many there were.",
        .json = "{\"repo\", \"frozen\", \"freezes\", \"cleared\", \"message\"}",
        .examples = (const struct command_example[]){{"orchctl unfreeze demo", "Production is well again"},
                                                     {.line = NULL}},
        .run = run_unfreeze,
};

const struct command command_frozen = {
        .name = "frozen",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the frozen repos, and why they are",
        .text = "A repo that was frozen again is there once for each reason.",
        .json = "{\"freezes\": [{\"id\", \"repo\", \"reason\", \"work_item\", \"frozen_by\", "
                "\"frozen_at\"}]}",
        .examples = (const struct command_example[]){{"orchctl frozen", "What is frozen"}, {.line = NULL}},
        .run = run_frozen,
};
