/* cmd_lease.c - orchctl lease: who may enter a transition with side effects, and taking that away. */
#include "ctl/commands.h"

#include <stdio.h>
#include <unistd.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "queries.h"

#define LEASES_JSON                                                                                          \
        "\"leases\": [{\"work_item\", \"repo\", \"purpose\", \"host\", \"pid\", \"alive\", \"taken_at\", "   \
        "\"held_s\"}], \"merge_leases\": [{\"repo\", \"work_item\", \"stage\", \"taken_at\", \"held_s\"}]"

static int64_t number(const struct json *object, const char *key)
{
        int64_t n = 0;
        (void)json_int(json_get(object, key), &n); /* absent: 0 */
        return n;
}

/* Who may rebase, test and merge in a repo. */
static void render_merge_leases(const struct json *leases, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "REPO"},
                                                      {.title = "MERGES"},
                                                      {.title = "STAGE"},
                                                      {.title = "HELD FOR", .right = true}};
        struct table t;
        if (json_len(leases) == 0)
                return;
        strbuf_addch(sb, '\n');
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(leases); i++) {
                const struct json *lease = json_at(leases, i);
                table_add(&t, show_str(lease, "repo"));
                table_add(&t, show_str(lease, "work_item"));
                table_add(&t, show_str(lease, "stage"));
                table_add_duration(&t, number(lease, "held_s"));
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

static void render_transition_leases(const struct json *leases, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "ITEM"}, {.title = "REPO"},
                                                      {.title = "FOR"},  {.title = "HELD FOR", .right = true},
                                                      {.title = "HOST"}, {.title = "PID", .right = true},
                                                      {.title = "OWNER"}};
        struct table t;
        if (json_len(leases) == 0) {
                strbuf_addstr(sb, "No transition lease is held.\n");
                return;
        }
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(leases); i++) {
                const struct json *lease = json_at(leases, i);
                bool alive = false;
                (void)json_bool(json_get(lease, "alive"), &alive);
                table_add(&t, show_str(lease, "work_item"));
                table_add(&t, show_str(lease, "repo"));
                table_add(&t, show_str(lease, "purpose"));
                table_add_duration(&t, number(lease, "held_s"));
                table_add(&t, show_str(lease, "host"));
                table_add_int(&t, number(lease, "pid"));
                table_add_style(&t, alive ? "alive" : "gone", alive ? TERM_GREEN : TERM_RED);
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

static void render_leases(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        render_transition_leases(json_get(doc, "leases"), term, sb);
        render_merge_leases(json_get(doc, "merge_leases"), term, sb);
}

static int run_lease_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_LEASE_LIST, NULL, render_leases);
}

static bool agrees(const char *item)
{
        _cleanup_(strbuf_deinit) struct strbuf question = STRBUF_INIT;
        char answer[16] = "";
        text_clean(&question, item);
        fprintf(stderr, "Release the transition lease of %s by force? [y/N] ", question.buf);
        if (fgets(answer, sizeof(answer), stdin) == NULL)
                (void)fputc('\n', stderr); /* end of input: no */
        return answer[0] == 'y' || answer[0] == 'Y';
}

static int run_lease_release(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0)};
        if (!args_has(&c->args, "yes")) {
                if (!isatty(STDIN_FILENO))
                        return ctl_fail(EXIT_USAGE, "lease release wants --yes where nobody can be asked");
                if (!agrees(params[0]))
                        return ctl_fail(EXIT_FAILED, "nothing was released");
        }
        return show_document(c, &Q_CTL_LEASE_RELEASE, params, show_message);
}

const struct command command_lease_list = {
        .name = "lease list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the leases: who works on a deploy or merge, and who may merge in each repo",
        .text = "Only the owner of a work item's transition lease does what cannot be taken back. A lease is "
                "given up when that has ended, and taken from an owner that is gone. The merge lease of a "
                "repo is a work item's from "
                "its rebase until it is merged, or sent back.",
        .json = "{" LEASES_JSON "}",
        .examples = (const struct command_example[]){{"orchctl lease list", "Who holds which lease"},
                                                     {.line = NULL}},
        .run = run_lease_list,
};

const struct command command_lease_release = {
        .name = "lease release",
        .group = GROUP_ACT,
        .args = "ITEM",
        .min_args = 1,
        .max_args = 1,
        .summary = "take the transition lease of a work item from its owner",
        .text = "For an owner that hangs. Its job is taken back and will run again, and what the owner still "
                "says of it is refused. What it has done so far is not undone: look at the deploy or merge "
                "first. Asks before it acts; released already changes nothing.",
        .json = "The leases that are left: {\"message\", " LEASES_JSON "}",
        .options = (const struct command_option[]){{"yes", 'y', NULL, "do not ask"}, {.name = NULL}},
        .examples = (const struct command_example[]){{"orchctl lease release DEMO-1 --yes",
                                                      "Have a deploy that hangs done again"},
                                                     {.line = NULL}},
        .run = run_lease_release,
};
