/* cmd_project_options.c - orchctl project show and set, command set and remove: what a project has of its
 * own. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "queries.h"

#define WHOLE_JSON                                                                                           \
        "{\"project\", …, \"options\": [{\"key\", \"kind\", \"value\", \"about\"}], \"commands\": "        \
        "[{\"kind\", \"command\", \"about\", \"set_by\", \"set_at\"}]"

/* A list as its words, a switch as on or off. */
static void add_value(struct table *t, const struct json *value)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        bool on = false;
        int64_t n = 0;
        for (size_t i = 0; i < json_len(value); i++)
                strbuf_addf(&sb, "%s%s", i > 0 ? " " : "", json_str(json_at(value, i)));
        if (json_str(value) != NULL)
                strbuf_addstr(&sb, json_str(value));
        else if (json_bool(value, &on))
                strbuf_addstr(&sb, on ? "on" : "off");
        else if (json_int(value, &n))
                strbuf_addf(&sb, "%lld", (long long)n);
        table_add(t, sb.len > 0 ? sb.buf : NULL);
}

static void render_options(const struct json *options, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "OPTION"},
                                                      {.title = "VALUE", .shrinks = true},
                                                      {.title = "WHAT IT DOES", .shrinks = true}};
        struct table t;
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(options); i++) {
                table_add(&t, show_str(json_at(options, i), "key"));
                add_value(&t, json_get(json_at(options, i), "value"));
                table_add(&t, show_str(json_at(options, i), "about"));
        }
        table_print(&t, term, sb);
        table_deinit(&t);
}

static void render_whole(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"kind", {.title = "COMMAND FOR"}},
                {"command", {.title = "COMMAND", .shrinks = true}},
                {"about", {.title = "WHAT IT DOES", .shrinks = true}},
        };
        static const char *const facts[] = {"project", "prefix", "repo", "location"};
        for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
                strbuf_addf(sb, "%-15s ", facts[i]);
                text_clean(sb, show_str(doc, facts[i]));
                strbuf_addch(sb, '\n');
        }
        strbuf_addch(sb, '\n');
        render_options(json_get(doc, "options"), term, sb);
        strbuf_addch(sb, '\n');
        show_rows(json_get(doc, "commands"), columns, ARRAY_SIZE(columns), term, sb);
}

static int run_project_show(struct ctl *c)
{
        return show_document(c, &Q_CTL_PROJECT_SHOW, c->args.words, render_whole);
}

static int run_project_set(struct ctl *c)
{
        bool reset = c->args.n_words == 2;
        const char *params[] = {args_word(&c->args, 0), args_word(&c->args, 1),
                                reset ? NULL : args_word(&c->args, 2)};
        return show_document(c, &Q_CTL_PROJECT_SET, params, show_message);
}

static int run_command_set(struct ctl *c)
{
        return show_document(c, &Q_CTL_PROJECT_COMMAND_SET, c->args.words, show_message);
}

static int run_command_remove(struct ctl *c)
{
        return show_document(c, &Q_CTL_PROJECT_COMMAND_REMOVE, c->args.words, show_message);
}

const struct command command_project_show = {
        .name = "project show",
        .group = GROUP_LOOK,
        .args = "NAME",
        .min_args = 1,
        .max_args = 1,
        .summary = "show a project with its options and commands",
        .text = "Options are set with `orchctl project set`, commands with `orchctl command set`.",
        .json = WHOLE_JSON "}",
        .examples = (const struct command_example[]){{"orchctl project show demo", "What is set for demo"},
                                                     {.line = NULL}},
        .run = run_project_show,
};

const struct command command_project_set = {
        .name = "project set",
        .group = GROUP_ACT,
        .args = "NAME OPTION [VALUE]",
        .min_args = 2,
        .max_args = 3,
        .summary = "set an option of a project",
        .text = "`orchctl project show` lists the options. Words of a list are separated by blanks or "
                "commas. "
                "Without VALUE the option is as in a new project.",
        .json = WHOLE_JSON ", \"message\"}",
        .examples =
                (const struct command_example[]){
                        {"orchctl project set demo staging_waivers 'smoke-mail, smoke-dns'",
                         "Checks of staging whose failure is the infrastructure's"},
                        {"orchctl project set demo test_globs", "The standard again"},
                        {.line = NULL},
                },
        .run = run_project_set,
};

const struct command command_command_set = {
        .name = "command set",
        .group = GROUP_ACT,
        .args = "PROJECT KIND COMMAND",
        .min_args = 3,
        .max_args = 3,
        .summary = "give a project a command: coverage, image, deploy and more",
        .text = "`orchctl project show` lists the kinds. Steps of the pipeline that want a command are there "
                "for the projects that give it, and skipped for others.",
        .json = WHOLE_JSON ", \"message\"}",
        .examples =
                (const struct command_example[]){
                        {"orchctl command set demo coverage 'make coverage-ratchet'",
                         "Nothing goes to staging that lowers the coverage"},
                        {.line = NULL},
                },
        .run = run_command_set,
};

const struct command command_command_remove = {
        .name = "command remove",
        .group = GROUP_ACT,
        .args = "PROJECT KIND",
        .min_args = 2,
        .max_args = 2,
        .summary = "take a command from a project",
        .text = "Its steps are skipped from then on, also by work items that wait at them.",
        .json = WHOLE_JSON ", \"message\"}",
        .examples = (const struct command_example[]){{"orchctl command remove demo coverage",
                                                      "The coverage may fall again"},
                                                     {.line = NULL}},
        .run = run_command_remove,
};
