/* cmd_limit.c - orchctl limit set, remove and list, circuit list and close: how much may run at once. */
#include "ctl/commands.h"

#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define LIMITS_JSON "\"limits\": [{\"scope\", \"name\", \"slots\", \"changed_at\", \"changed_by\"}]"
#define PROVIDERS_JSON                                                                                       \
        "\"providers\": [{\"provider\", \"state\", \"open_until\", \"reason\", \"changed_at\"}]"

static bool is_number(const char *s)
{
        size_t len = strlen(s);
        return len > 0 && len <= 9 && strspn(s, "0123456789") == len;
}

static int run_limit_set(struct ctl *c)
{
        bool named = c->args.n_words == 3;
        const char *slots = args_word(&c->args, named ? 2 : 1);
        const char *params[] = {args_word(&c->args, 0), named ? args_word(&c->args, 1) : NULL, slots};
        if (!is_number(slots))
                return ctl_fail(EXIT_USAGE, "a limit is a whole number from 0 to 10000, not \"%s\"", slots);
        return show_document(c, &Q_CTL_LIMIT_SET, params, show_message);
}

static int run_limit_remove(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_word(&c->args, 1)};
        return show_document(c, &Q_CTL_LIMIT_REMOVE, params, show_message);
}

static void render_limits(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"scope", {.title = "SCOPE"}},
                {"name", {.title = "NAME"}},
                {"slots", {.title = "AT ONCE", .right = true}},
                {"changed_by", {.title = "SET BY"}},
                {"changed_at", {.title = "AT"}},
        };
        const struct json *limits = json_get(doc, "limits");
        if (json_len(limits) == 0)
                strbuf_addstr(sb, "No limit is set; each worker has its slots.\n");
        else
                show_rows(limits, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_limit_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_LIMIT_LIST, NULL, render_limits);
}

static void render_circuits(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"provider", {.title = "PROVIDER"}},
                {"state", {.title = "CIRCUIT"}},
                {"open_until", {.title = "UNTIL"}},
                {"reason", {.title = "REASON", .shrinks = true}},
        };
        const struct json *providers = json_get(doc, "providers");
        if (json_len(providers) == 0)
                strbuf_addstr(sb, "No provider has failed yet.\n");
        else
                show_rows(providers, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_circuit_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_CIRCUIT_LIST, NULL, render_circuits);
}

static int run_circuit_close(struct ctl *c)
{
        return show_document(c, &Q_CTL_CIRCUIT_CLOSE, c->args.words, show_message);
}

const struct command command_limit_set = {
        .name = "limit set",
        .group = GROUP_ACT,
        .args = "SCOPE [NAME] N",
        .min_args = 2,
        .max_args = 3,
        .summary = "let at most N jobs run at once: global, of a repo, a role, or on a host",
        .text = "SCOPE is global, repo, role or host; all but global want the NAME of one. What runs already "
                "goes on; new jobs wait until there is room. 0 lets none start.",
        .json = "{" LIMITS_JSON ", \"message\"}",
        .examples =
                (const struct command_example[]){
                        {"orchctl limit set global 8", "At most eight jobs on all hosts together"},
                        {"orchctl limit set role developer 2", "At most two developers"},
                        {.line = NULL},
                },
        .run = run_limit_set,
};

const struct command command_limit_remove = {
        .name = "limit remove",
        .group = GROUP_ACT,
        .args = "SCOPE [NAME]",
        .min_args = 1,
        .max_args = 2,
        .summary = "take a limit away",
        .text = "The slots of the workers still bound what runs.",
        .json = "{" LIMITS_JSON ", \"message\"}",
        .examples = (const struct command_example[]){{"orchctl limit remove role developer",
                                                      "As many developers as there are slots"},
                                                     {.line = NULL}},
        .run = run_limit_remove,
};

const struct command command_limit_list = {
        .name = "limit list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the limits on what runs at once",
        .text = "What is not in the list is not limited, but by the slots of the workers.",
        .json = "{" LIMITS_JSON "}",
        .examples =
                (const struct command_example[]){{"orchctl limit list", "What is limited"}, {.line = NULL}},
        .run = run_limit_list,
};

const struct command command_circuit_list = {
        .name = "circuit list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the providers of agents that have failed, and until when their jobs wait",
        .text = "closed: its jobs run. open: they wait. half-open: one of them tries.",
        .json = "{" PROVIDERS_JSON "}",
        .examples = (const struct command_example[]){{"orchctl circuit list", "Which provider is out"},
                                                     {.line = NULL}},
        .run = run_circuit_list,
};

const struct command command_circuit_close = {
        .name = "circuit close",
        .group = GROUP_ACT,
        .args = "PROVIDER",
        .min_args = 1,
        .max_args = 1,
        .summary = "let the jobs of a provider go on at once",
        .text = "For when you know that it is well again. If it is not, the circuit opens again with the "
                "next failure.",
        .json = "{" PROVIDERS_JSON ", \"message\"}",
        .examples = (const struct command_example[]){{"orchctl circuit close claude", "It is well again"},
                                                     {.line = NULL}},
        .run = run_circuit_close,
};
