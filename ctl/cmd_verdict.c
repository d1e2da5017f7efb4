/* cmd_verdict.c - orchctl approve, reject, answer and cancel: what a person decides about a task. */
#include "ctl/commands.h"

#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define TASK_JSON                                                                                            \
        "The task after it: {\"work_item\", \"title\", \"project\", \"stage\", \"terminal\", \"waits\", "    \
        "\"message\", ...}."

static int act(struct ctl *c, const struct db_statement *st, const char *note_option)
{
        const char *params[] = {args_word(&c->args, 0), args_value(&c->args, note_option)};
        return show_document(c, st, params, show_message);
}

static int run_approve(struct ctl *c)
{
        return act(c, &Q_CTL_APPROVE, "comment");
}

static int run_reject(struct ctl *c)
{
        if (args_has(&c->args, "comment"))
                return act(c, &Q_CTL_REJECT, "comment");
        (void)ctl_fail(EXIT_USAGE, "reject wants --comment TEXT");
        ctl_hint("the comment is what the next run is told");
        return EXIT_USAGE;
}

static int run_answer(struct ctl *c)
{
        return show_document(c, &Q_CTL_ANSWER, c->args.words, show_message);
}

static int run_cancel(struct ctl *c)
{
        return act(c, &Q_CTL_CANCEL, "reason");
}

const struct command command_approve = {
        .name = "approve",
        .group = GROUP_ACT,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "pass the human gate that a work item waits at",
        .text = "There are two: the analysis is approved, or the deploy confirmed. Refused when the work "
                "item waits at "
                "neither; `orchctl why ITEM` says what it waits for.",
        .json = TASK_JSON,
        .options = (const struct command_option[]){{"comment", 0, "TEXT", "kept in the history"},
                                                   {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl approve DEMO-1", "The analysis is good: go on"},
                        {"orchctl approve DEMO-1 --comment 'window is 18:00 to 20:00'",
                         "Confirm the deploy, with a remark"},
                        {.line = NULL},
                },
        .run = run_approve,
};

const struct command command_reject = {
        .name = "reject",
        .group = GROUP_ACT,
        .args = "ITEM --comment TEXT",
        .min_args = 1,
        .max_args = 1,
        .summary = "send a work item back to the role of its stage, saying why",
        .text = "The role works again, with the comment as its input. One that was escalated goes back to "
                "where its "
                "gate sends it, with new rounds of development.",
        .json = TASK_JSON,
        .options =
                (const struct command_option[]){{"comment", 0, "TEXT", "what the next run is told; required"},
                                                {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl reject DEMO-1 --comment 'say what happens with an empty file'",
                         "Have the analysis written again"},
                        {.line = NULL},
                },
        .run = run_reject,
};

const struct command command_answer = {
        .name = "answer",
        .group = GROUP_ACT,
        .args = "ITEM TEXT",
        .min_args = 2,
        .max_args = 2,
        .summary = "answer what the analyst of a work item has asked",
        .text = "For a work item in Needs Input: `orchctl item show ITEM` has the questions, among the "
                "comments. "
                "The analyst works again, with questions and answer as its input. Refused when nothing is "
                "asked.",
        .json = TASK_JSON,
        .examples =
                (const struct command_example[]){
                        {"orchctl answer DEMO-1 'in bytes; since version 2'",
                         "Tell the analyst what it asked"},
                        {.line = NULL},
                },
        .run = run_answer,
};

const struct command command_cancel = {
        .name = "cancel",
        .group = GROUP_ACT,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "cancel a work item: stop its agents, delete its branch",
        .text = "What is running is stopped, queued work is dropped, the feature branch is deleted; "
                "documents and history "
                "stay. While a deploy or merge is under way the cancellation waits until that has ended. "
                "Cancelling twice "
                "changes nothing. Moving the item to to_analyse afterwards starts it from scratch.",
        .json = TASK_JSON,
        .options =
                (const struct command_option[]){{"reason", 0, "TEXT", "kept in the history"}, {.name = NULL}},
        .examples = (const struct command_example[]){{"orchctl cancel DEMO-1 --reason 'superseded by DEMO-7'",
                                                      "Stop a work item for good"},
                                                     {.line = NULL}},
        .run = run_cancel,
};
