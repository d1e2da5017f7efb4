/* cmd_status.c - orchctl status, queue and why: what is going on, and why not more. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/queue_text.h"
#include "ctl/show.h"
#include "ctl/task_table.h"
#include "ctl/text.h"
#include "queries.h"

static void render_status(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        const struct json *tasks = json_get(doc, "tasks");
        if (json_type(tasks) == JSON_ARRAY && json_len(tasks) == 0)
                strbuf_addstr(sb, "No live task. `orchctl item create PROJECT TITLE` makes a work item.\n");
        else
                task_table(tasks, term, sb);
}

static int run_status(struct ctl *c)
{
        return show_document(c, &Q_CTL_STATUS, NULL, render_status);
}

static int run_queue(struct ctl *c)
{
        const char *const params[] = {args_value(&c->args, "after")};
        return show_document(c, &Q_CTL_QUEUE, params, queue_text);
}

static void render_why(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        const struct json *waits = json_get(doc, "waits");
        for (size_t i = 0; i < json_len(waits); i++) {
                const struct json *wait = json_at(waits, i);
                strbuf_addf(sb, "%s%s%s: ", term_style(term, TERM_BOLD), show_str(wait, "axis"),
                            term_style(term, TERM_PLAIN));
                text_clean(sb, show_str(wait, "reason"));
                strbuf_addch(sb, '\n');
                if (json_str(json_get(wait, "ends_when")) == NULL)
                        continue;
                strbuf_addstr(sb, "    ends when ");
                text_clean(sb, show_str(wait, "ends_when"));
                strbuf_addch(sb, '\n');
        }
}

static int run_why(struct ctl *c)
{
        return show_document(c, &Q_CTL_WHY, c->args.words, render_why);
}

const struct command command_status = {
        .name = "status",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "show the live tasks: stage, role, run time, and what each waits for",
        .text = "One line per task that is neither done nor cancelled, at most 200 of them. NOW is the first "
                "reason why the "
                "task is where it is; `orchctl why ITEM` has all of them.",
        .json = "{\"at\", \"tasks\": [{\"work_item\", \"title\", \"project\", \"repo\", \"stage\", \"role\", "
                "\"job\", "
                "\"job_status\", \"since\", \"running_s\", \"waits\": [{\"axis\", \"reason\", "
                "\"ends_when\"}], \"branch\", "
                "\"priority\", \"created_at\"}]}",
        .examples =
                (const struct command_example[]){
                        {"orchctl status", "What is going on"},
                        {"orchctl status --json | jq '.tasks[] | select(.job_status == \"running\")'",
                         "What is running, for a script"},
                        {.line = NULL},
                },
        .run = run_status,
};

const struct command command_queue = {
        .name = "queue",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "show the queue: running, waiting and why, repos, inbox, outbox, processes",
        .text = "A snapshot of everything the scheduler looks at. A part that cannot be evaluated says so, "
                "and "
                "the rest is there. A list shows 25 rows, and says at its end how to go on. What is too "
                "many to count is estimated, with a ~, or has a + when not even that is known.",
        .json = "{\"at\", \"counts\", \"running\", \"waiting\", \"repos\": {NAME: {\"active_task\", "
                "\"waiting\", \"paused\", \"frozen\", \"frozen_reason\", \"frozen_at\"}}, \"leases\", "
                "\"stop\", \"capacity\", \"resilience\", \"reconcile\", \"reaper\", \"post_deploy\", "
                "\"inbox\", "
                "\"outbox\", \"axis_faults\", \"dead_letters\", \"processes\", \"next\": {LIST: "
                "LIST:KEY}}; a part that failed is {\"error\"}, a count that is an estimate {\"at_least\", "
                "\"about\", \"estimated\"}; with --after that list only",
        .options =
                (const struct command_option[]){
                        {"after", 'a', "LIST:KEY", "the next page of a list, as the page before named it"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl queue", "Everything at a glance"},
                        {"orchctl queue --json | jq .counts", "How many jobs are queued and running"},
                        {.line = NULL},
                },
        .run = run_queue,
};

const struct command command_why = {
        .name = "why",
        .group = GROUP_LOOK,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "say why a work item does not move, and what would end that",
        .text = "Every reason, the one that counts first. The reasons are the scheduler's own: the same "
                "views decide what may "
                "run.",
        .json = "{\"work_item\", \"waits\": [{\"axis\", \"reason\", \"ends_when\"}]}",
        .examples = (const struct command_example[]){{"orchctl why DEMO-2", "Why is nothing happening?"},
                                                     {.line = NULL}},
        .run = run_why,
};
