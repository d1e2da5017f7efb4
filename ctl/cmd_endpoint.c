/* cmd_endpoint.c - orchctl endpoint set, remove and list, project connect: the services outside. */
#include "ctl/commands.h"

#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define ENDPOINT_JSON                                                                                        \
        "{\"name\", \"kind\", \"url\", \"hook_url\", \"workspace\", \"chat\", \"account\", \"alerts\", "     \
        "\"per_minute\", \"token_file\", \"state\", \"reason\", \"since\", \"not_before\", \"failures\", "   \
        "\"projects\"}"

static void render_endpoint(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        show_form(sb, "endpoint {name} is {kind} at {url}\n", doc);
}

static int run_endpoint_set(struct ctl *c)
{
        const struct args *a = &c->args;
        bool alerts = args_has(a, "alerts"), no_alerts = args_has(a, "no-alerts");
        const char *kind = args_value(a, "kind"), *token = args_value(a, "token-file");
        if (kind == NULL || token == NULL)
                return ctl_fail(EXIT_USAGE, "endpoint set wants %s",
                                kind == NULL ? "--kind plane, gitea or telegram" : "--token-file FILE");
        if (alerts && no_alerts)
                return ctl_fail(EXIT_USAGE, "either --alerts or --no-alerts");
        const char *params[] = {args_word(a, 0),
                                kind,
                                args_word(a, 1),
                                token,
                                args_value(a, "workspace"),
                                args_value(a, "chat"),
                                args_value(a, "thread"),
                                args_value(a, "per-minute"),
                                alerts      ? "true"
                                : no_alerts ? "false"
                                            : NULL,
                                args_value(a, "segment"),
                                args_value(a, "hook-url"),
                                args_value(a, "account")};
        return show_document(c, &Q_CTL_ENDPOINT_SET, params, render_endpoint);
}

static int run_endpoint_remove(struct ctl *c)
{
        return show_document(c, &Q_CTL_ENDPOINT_REMOVE, c->args.words, show_message);
}

static void render_endpoints(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"name", {.title = "ENDPOINT"}},
                {"kind", {.title = "KIND"}},
                {"url", {.title = "AT"}},
                {"state", {.title = "STATE"}},
                {"since", {.title = "SINCE"}},
                {"not_before", {.title = "NOT ASKED BEFORE"}},
                {"reason", {.title = "REASON", .shrinks = true}},
        };
        const struct json *endpoints = json_get(doc, "endpoints");
        if (json_len(endpoints) == 0)
                strbuf_addstr(sb, "No service outside is known: trackers and forges are local, alerts are "
                                  "in the log.\n");
        else
                show_rows(endpoints, columns, ARRAY_SIZE(columns), term, sb);
}

static int run_endpoint_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_ENDPOINT_LIST, NULL, render_endpoints);
}

static void render_connected(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        show_form(sb, "project {project}: tracker {tracker}, forge {forge}\n", doc);
}

static int run_project_connect(struct ctl *c)
{
        const char *params[] = {args_word(&c->args, 0), args_word(&c->args, 1), args_word(&c->args, 2),
                                args_word(&c->args, 3)};
        return show_document(c, &Q_CTL_PROJECT_CONNECT, params, render_connected);
}

const struct command command_endpoint_set = {
        .name = "endpoint set",
        .group = GROUP_ACT,
        .args = "NAME URL --kind KIND --token-file FILE",
        .min_args = 2,
        .max_args = 2,
        .summary = "register a service outside (Plane, Gitea, Telegram), or change it",
        .text = "The token is not stored: FILE is its path on every host, readable by the suite's user only, "
                "and is read for each request, so that a new token counts at once. An address is https; "
                "http only to hosts that the option http_plain_hosts names. What waits for the service is "
                "tried at once.",
        .json = ENDPOINT_JSON,
        .options =
                (const struct command_option[]){
                        {"kind", 0, "KIND", "plane, gitea or telegram; required"},
                        {"token-file", 0, "FILE", "file whose first line is the token; required"},
                        {"workspace", 0, "SLUG", "plane: the workspace"},
                        {"segment", 0, "WORD", "plane: work-items, or issues of servers before 1.1"},
                        {"hook-url", 0, "URL", "where its webhooks go: https://OURS/webhook/KIND"},
                        {"account", 0, "NAME", "who we are there: its UUID in plane, its login in gitea"},
                        {"chat", 0, "NUMBER", "telegram: the chat"},
                        {"thread", 0, "NUMBER", "telegram: topic of a forum"},
                        {"per-minute", 0, "N",
                         "requests of all hosts together (60 for plane, 20 for telegram)"},
                        {"alerts", 0, NULL, "telegram: it takes the alerts that are no project's"},
                        {"no-alerts", 0, NULL, "telegram: it does not (any more)"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl endpoint set board https://plane.example.org --kind plane --workspace a "
                         "--token-file F",
                         "A Plane server"},
                        {"orchctl endpoint set phone https://api.telegram.org --kind telegram --token-file "
                         "FILE "
                         "--chat=-100",
                         "A chat; with --alerts it gets all of them"},
                        {.line = NULL},
                },
        .run = run_endpoint_set,
};

const struct command command_endpoint_remove = {
        .name = "endpoint remove",
        .group = GROUP_ACT,
        .args = "NAME",
        .min_args = 1,
        .max_args = 1,
        .summary = "forget a service outside that no project uses",
        .text = "A project that uses it has to be connected elsewhere first.",
        .json = "{\"endpoints\": [" ENDPOINT_JSON "], \"message\"}",
        .examples =
                (const struct command_example[]){{"orchctl endpoint remove board", "It is not used any more"},
                                                 {.line = NULL}},
        .run = run_endpoint_remove,
};

const struct command command_endpoint_list = {
        .name = "endpoint list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the services outside, and whether they can be asked now",
        .text = "ok: it answers. limited: it wants us to wait. down: it does not answer. denied: it does not "
                "take our token; put a good one into its file. What belongs to it waits meanwhile and burns "
                "no attempt.",
        .json = "{\"endpoints\": [" ENDPOINT_JSON "]}",
        .examples =
                (const struct command_example[]){{"orchctl endpoint list", "Who answers"}, {.line = NULL}},
        .run = run_endpoint_list,
};

const struct command command_project_connect = {
        .name = "project connect",
        .group = GROUP_ACT,
        .args = "PROJECT PORT ENDPOINT [PLACE]",
        .min_args = 3,
        .max_args = 4,
        .summary = "say who is the tracker, the forge or the notifier of a project",
        .text = "PORT is tracker, forge or notifier; ENDPOINT is one of `orchctl endpoint list`, or local. "
                "PLACE is the UUID of a tracker's project, OWNER/NAME of a forge's repository, or the path "
                "of a local one.",
        .json = "the project, as in `orchctl project list --json`",
        .examples =
                (const struct command_example[]){
                        {"orchctl project connect shop forge git acme/shop",
                         "Its pull requests are in acme/shop"},
                        {"orchctl project connect demo forge local /srv/git/demo.git",
                         "Its repository has moved"},
                        {"orchctl project connect shop notifier local", "Its alerts are in the log"},
                        {.line = NULL}},
        .run = run_project_connect,
};
