/* cmd_item.c - orchctl item: work items of the local tracker, and all that is known about one. */
#include "ctl/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/item_text.h"
#include "ctl/show.h"
#include "ctl/text.h"
#include "queries.h"

#define DESCRIPTION_MAX (1u << 20)

static int run_item_show(struct ctl *c)
{
        return show_document(c, &Q_CTL_ITEM, c->args.words, item_text);
}

static void render_items(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"work_item", {.title = "ITEM"}},
                {"project", {.title = "PROJECT"}},
                {"state", {.title = "STATE"}},
                {"stage", {.title = "STAGE"}},
                {"title", {.title = "TITLE", .shrinks = true}},
        };
        const struct json *items = json_get(doc, "items");
        if (json_len(items) == 0)
                strbuf_addstr(sb, "No work item yet. `orchctl item create PROJECT TITLE` makes one.\n");
        else
                show_rows(items, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_item_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_ITEM_LIST, NULL, render_items);
}

/* "DEMO-1": all that a script needs to go on. */
static void render_created(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        show_form(sb, "{work_item}\n", doc);
}

/* Standard input as text: EXIT_OK, or a refusal. */
static int read_input(struct strbuf *sb)
{
        char piece[4096];
        size_t n;
        while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0 && sb->len <= DESCRIPTION_MAX)
                strbuf_add(sb, piece, n);
        if (ferror(stdin))
                return ctl_fail(EXIT_FAILED, "cannot read standard input: %s", strerror(errno));
        if (sb->len > DESCRIPTION_MAX)
                return ctl_fail(EXIT_USAGE, "the description is longer than 1 MiB");
        if (strlen(sb->buf) != sb->len)
                return ctl_fail(EXIT_USAGE, "the description has a NUL byte in it");
        return EXIT_OK;
}

static int run_item_create(struct ctl *c)
{
        _cleanup_(strbuf_deinit) struct strbuf input = STRBUF_INIT;
        const char *description = args_value(&c->args, "description");
        int64_t priority;
        int code = ctl_int_option(c, "priority", 0, 4, 2, &priority);
        if (code == EXIT_OK && description != NULL && strcmp(description, "-") == 0) {
                code = read_input(&input);
                description = input.buf;
        }
        if (code != EXIT_OK)
                return code;
        _cleanup_(freep) char *priority_text = xasprintf("%lld", (long long)priority);
        const char *params[] = {args_word(&c->args, 0),
                                args_word(&c->args, 1),
                                description,
                                priority_text,
                                args_value(&c->args, "blocked-by"),
                                args_value(&c->args, "key"),
                                args_value(&c->args, "label")};
        return show_document(c, &Q_CTL_ITEM_CREATE, params, render_created);
}

static void render_moved(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        text_clean(sb, show_str(doc, "work_item"));
        strbuf_addstr(sb, " is in state ");
        text_clean(sb, show_str(doc, "state"));
        strbuf_addch(sb, '\n');
}

static int run_item_move(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_word(&c->args, 1),
                                args_value(&c->args, "comment")};
        return show_document(c, &Q_CTL_ITEM_MOVE, params, render_moved);
}

static int run_item_label(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_word(&c->args, 1),
                                args_has(&c->args, "remove") ? "false" : "true"};
        return show_document(c, &Q_CTL_ITEM_LABEL, params, show_message);
}

const struct command command_item_show = {
        .name = "item show",
        .group = GROUP_LOOK,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "show a work item: its task, runs, evidence, comments, waits and history",
        .text = "Everything that is known about it. Times are UTC. An item that was cancelled and began "
                "again names "
                "its earlier tasks, which can be asked for by these names.",
        .json = "{\"item\", \"comments\", \"task\", \"earlier\", \"reviews\", \"history\", \"evidence\", "
                "\"runs\": "
                "[{\"run\", \"job\", "
                "\"epoch\", "
                "\"role\", \"stage\", \"attempt\", \"outcome\", \"exit_code\", \"signal\", \"started_at\", "
                "\"ended_at\", "
                "\"host\", \"log\", \"reason\", ...}]}",
        .examples =
                (const struct command_example[]){
                        {"orchctl item show DEMO-1", "How it got where it is"},
                        {"orchctl item show DEMO-1 --json | jq '.runs[-1]'", "The newest run"},
                        {.line = NULL},
                },
        .run = run_item_show,
};

const struct command command_item_list = {
        .name = "item list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the work items of the local tracker",
        .text = "The newest 500, with the state they show and the stage they are in.",
        .json = "{\"items\": [{\"work_item\", \"title\", \"state\", \"stage\", \"project\"}]}",
        .examples = (const struct command_example[]){{"orchctl item list", "What there is"}, {.line = NULL}},
        .run = run_item_list,
};

const struct command command_item_create = {
        .name = "item create",
        .group = GROUP_ACT,
        .args = "PROJECT TITLE",
        .min_args = 2,
        .max_args = 2,
        .summary = "create a work item in the local tracker; the pipeline takes it in",
        .text = "Prints the name of the new item. The title must not be empty and has at most 200 characters "
                "(setting qg0_title_max).",
        .json = "{\"work_item\", \"project\", \"title\", \"description\", \"priority\", \"state\", "
                "\"created_at\"}",
        .options =
                (const struct command_option[]){
                        {"description", 0, "TEXT", "what is to be done; - reads it from standard input"},
                        {"priority", 0, "N", "0 is most urgent, 4 least (2)"},
                        {"blocked-by", 0, "ITEMS", "work items that must be over first, separated by commas"},
                        {"label", 0, "LABELS", "labels, separated by commas"},
                        {"key", 0, "KEY", "a name for the request: given again, it finds the item it made"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl item create demo 'Sort names without regard to case'", "A small wish"},
                        {"orchctl item create demo 'Import CSV' --priority 1 --description - < wish.md",
                         "A longer one, from a file"},
                        {"orchctl watch \"$(orchctl item create demo 'Fix the docs')\"",
                         "Create it and look on"},
                        {.line = NULL},
                },
        .run = run_item_create,
};

const struct command command_item_move = {
        .name = "item move",
        .group = GROUP_ACT,
        .args = "ITEM STATE",
        .min_args = 2,
        .max_args = 2,
        .summary = "move a work item of the local tracker to a state, as on a board",
        .text = "States that people use: to_analyse (start, analyse again, or - with --comment - "
                "answer), approved, rejected, confirm_deploy, stop. Any "
                "other is a note on the board and starts nothing. An unknown state is refused with the list "
                "of all.",
        .json = "{\"work_item\", \"project\", \"title\", \"description\", \"priority\", \"state\", "
                "\"created_at\"}",
        .options = (const struct command_option[]){{"comment", 0, "TEXT", "a comment that goes with it"},
                                                   {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl item move DEMO-1 approved", "The same as orchctl approve, by the board"},
                        {"orchctl item move DEMO-1 stop", "The same as orchctl cancel"},
                        {.line = NULL},
                },
        .run = run_item_move,
};

const struct command command_item_label = {
        .name = "item label",
        .group = GROUP_ACT,
        .args = "ITEM LABEL",
        .min_args = 2,
        .max_args = 2,
        .summary = "give a work item of the local tracker a label, or take it away",
        .text = "auto-approve and auto-deploy pass the human gates of the item, also one that it waits at, "
                "when its "
                "project has switched that on: `orchctl project set NAME auto_approve on`. Who gave a label "
                "is "
                "kept.",
        .json = "{\"work_item\", \"project\", \"title\", \"labels\", \"state\", \"message\", ...}",
        .options = (const struct command_option[]){{"remove", 0, NULL, "take it away"}, {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl item label DEMO-1 auto-approve", "Let nobody be asked about the analysis"},
                        {"orchctl item label DEMO-1 auto-deploy --remove", "Ask before the deploy after all"},
                        {.line = NULL},
                },
        .run = run_item_label,
};
