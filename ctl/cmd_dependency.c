/* cmd_dependency.c - orchctl dependency add, remove and list, and waits: who waits for whom. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define DEPENDENCIES_JSON                                                                                    \
        "\"dependencies\": [{\"work_item\", \"repo\", \"waits_for\", \"waits_for_repo\", \"stage\", "        \
        "\"paused_at\", \"in_force\", \"declared_by\", \"declared_at\"}]"

static int run_dependency_add(struct ctl *c)
{
        return show_document(c, &Q_CTL_DEPENDENCY_ADD, c->args.words, show_message);
}

static int run_dependency_remove(struct ctl *c)
{
        return show_document(c, &Q_CTL_DEPENDENCY_REMOVE, c->args.words, show_message);
}

static void render_dependencies(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"work_item", {.title = "ITEM"}},    {"waits_for", {.title = "WAITS FOR"}},
                {"stage", {.title = "WHICH IS IN"}}, {"in_force", {.title = "IN FORCE"}},
                {"declared_by", {.title = "BY"}},    {"declared_at", {.title = "SINCE"}},
        };
        const struct json *dependencies = json_get(doc, "dependencies");
        if (json_len(dependencies) == 0)
                strbuf_addstr(sb, "Nothing depends on anything.\n");
        else
                show_rows(dependencies, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_dependency_list(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0)};
        return show_document(c, &Q_CTL_DEPENDENCY_LIST, params, render_dependencies);
}

static void render_chain(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"depth", {.title = "DEPTH", .right = true}},
                {"waiter", {.title = "WHO"}},
                {"holder", {.title = "WAITS FOR"}},
                {"via", {.title = "BY"}},
                {"since", {.title = "SINCE"}},
                {"cut", {.title = "ENDED BY"}},
        };
        const struct json *waits = json_get(doc, "waits_chain");
        if (json_len(waits) == 0)
                strbuf_addstr(sb, "It waits for nobody.\n");
        else
                show_rows(waits, columns, ARRAY_SIZE(columns), term, sb);
}

static void render_findings(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"kind", {.title = "WHAT"}},
                {"found_at", {.title = "SINCE"}},
                {"cut", {.title = "CHEAPEST WAY OUT"}},
                {"about", {.title = "WHO", .shrinks = true}},
        };
        const struct json *findings = json_get(doc, "findings");
        if (json_len(findings) == 0)
                strbuf_addstr(sb, "No deadlock, and no job that nobody claims.\n");
        else
                show_rows(findings, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_waits(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0)};
        if (params[0] == NULL)
                return show_document(c, &Q_CTL_FINDINGS, NULL, render_findings);
        return show_document(c, &Q_CTL_WAITS, params, render_chain);
}

const struct command command_dependency_add = {
        .name = "dependency add",
        .group = GROUP_ACT,
        .args = "ITEM OTHER",
        .min_args = 2,
        .max_args = 2,
        .summary = "have a work item wait until another is done or cancelled",
        .text = "Also between repos. A paused predecessor still holds it up. Refused, and the circle spelled "
                "out, when the other waits for the first already.",
        .json = "The task after it, with {\"message\", " DEPENDENCIES_JSON "}",
        .examples = (const struct command_example[]){{"orchctl dependency add DEMO-2 DEMO-1",
                                                      "DEMO-2 needs what DEMO-1 makes"},
                                                     {.line = NULL}},
        .run = run_dependency_add,
};

const struct command command_dependency_remove = {
        .name = "dependency remove",
        .group = GROUP_ACT,
        .args = "ITEM OTHER",
        .min_args = 2,
        .max_args = 2,
        .summary = "no longer have a work item wait for another",
        .text = "Whoever declared it. The tracker may declare it again when the item is moved there.",
        .json = "The task after it, with {\"message\", " DEPENDENCIES_JSON "}",
        .examples =
                (const struct command_example[]){
                        {"orchctl dependency remove DEMO-2 DEMO-1", "It can do without"}, {.line = NULL}},
        .run = run_dependency_remove,
};

const struct command command_dependency_list = {
        .name = "dependency list",
        .group = GROUP_LOOK,
        .args = "[ITEM]",
        .max_args = 1,
        .summary = "list which work item waits for which",
        .text = "Those that hold something up; of one work item all of them, both ways.",
        .json = "{" DEPENDENCIES_JSON "}",
        .examples = (const struct command_example[]){{"orchctl dependency list DEMO-1",
                                                      "What DEMO-1 waits for, and what waits for it"},
                                                     {.line = NULL}},
        .run = run_dependency_list,
};

const struct command command_waits = {
        .name = "waits",
        .group = GROUP_LOOK,
        .args = "[ITEM]",
        .max_args = 1,
        .summary = "follow what a work item waits for to its end, or list the deadlocks",
        .text = "What the item waits for, what that waits for, and so on, with the act that would end each "
                "wait. Without an item: the deadlocks, with the cheapest way out of each, and the jobs that "
                "could be claimed and that nobody claims (setting starvation_s).",
        .json = "{\"waits_chain\": [{\"depth\", \"waiter\", \"via\", \"holder\", \"since\", \"cut\"}]}, or "
                "{\"findings\": [{\"kind\", \"work_item\", \"about\", \"cut\", \"found_at\", "
                "\"alerted_at\"}]}",
        .examples = (const struct command_example[]){{"orchctl waits DEMO-3", "Who has to do something"},
                                                     {"orchctl waits", "Is anything stuck for good?"},
                                                     {.line = NULL}},
        .run = run_waits,
};
