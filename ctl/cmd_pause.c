/* cmd_pause.c - orchctl pause, resume, priority and retry: when a work item is worked on. */
#include "ctl/commands.h"

#include <string.h>

#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define TASK_JSON                                                                                            \
        "The task after it: {\"work_item\", \"title\", \"project\", \"stage\", \"priority\", "               \
        "\"paused_at\", \"escalation\", \"waits\", \"message\", ...}."

static int run_pause(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_value(&c->args, "reason")};
        return show_document(c, &Q_CTL_PAUSE, params, show_message);
}

static int run_resume(struct ctl *c)
{
        return show_document(c, &Q_CTL_RESUME, c->args.words, show_message);
}

static int run_priority(struct ctl *c)
{
        const char *n = args_word(&c->args, 1);
        if (strlen(n) != 1 || n[0] < '0' || n[0] > '4')
                return ctl_fail(EXIT_USAGE, "a priority is 0 (most urgent) to 4 (least)");
        return show_document(c, &Q_CTL_PRIORITY, c->args.words, show_message);
}

static int run_retry(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_value(&c->args, "comment")};
        return show_document(c, &Q_CTL_RETRY, params, show_message);
}

const struct command command_pause = {
        .name = "pause",
        .group = GROUP_ACT,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "pause a work item, so that it holds nobody up behind it",
        .text = "What runs is left to end, and counts; the next job waits until `orchctl resume`. Meanwhile "
                "the next work item of the repo may start. What depends on the paused one still waits, and a "
                "freeze still holds. Pausing twice changes nothing.",
        .json = TASK_JSON,
        .options =
                (const struct command_option[]){{"reason", 0, "TEXT", "kept in the history"}, {.name = NULL}},
        .examples = (const struct command_example[]){{"orchctl pause DEMO-1 --reason 'waits for the vendor'",
                                                      "Let DEMO-2 overtake it"},
                                                     {.line = NULL}},
        .run = run_pause,
};

const struct command command_resume = {
        .name = "resume",
        .group = GROUP_ACT,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "go on with a work item that was paused",
        .text = "A work item that has overtaken it keeps going; those that have not started wait again.",
        .json = TASK_JSON,
        .examples =
                (const struct command_example[]){{"orchctl resume DEMO-1", "Go on with it"}, {.line = NULL}},
        .run = run_resume,
};

const struct command command_priority = {
        .name = "priority",
        .group = GROUP_ACT,
        .args = "ITEM N",
        .min_args = 2,
        .max_args = 2,
        .summary = "change the priority of a work item: 0 is most urgent, 4 least",
        .text = "Counts for its queued job and for all that follow. Of one priority work in progress comes "
                "before new work. It lets nothing overtake an earlier work item of the same repo: see "
                "`orchctl pause`.",
        .json = TASK_JSON,
        .examples =
                (const struct command_example[]){{"orchctl priority DEMO-3 0", "Have it done before others"},
                                                 {.line = NULL}},
        .run = run_priority,
};

const struct command command_retry = {
        .name = "retry",
        .group = GROUP_ACT,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "try a work item again that was escalated, or that waits for its next attempt",
        .text = "After a job that failed for good its stage begins anew. After too many rounds of "
                "development it gets its rounds anew. A job that backs off is tried at once. One that "
                "nothing of this holds up is left as it is.",
        .json = TASK_JSON,
        .options = (const struct command_option[]){{"comment", 0, "TEXT", "what the next run is told"},
                                                   {.name = NULL}},
        .examples =
                (const struct command_example[]){
                        {"orchctl retry DEMO-1 --comment 'the disk was full; it is not any more'",
                         "Go on after a failure"},
                        {.line = NULL},
                },
        .run = run_retry,
};
