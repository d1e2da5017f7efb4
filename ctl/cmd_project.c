/* cmd_project.c - orchctl project add and list: the registry of projects. */
#include "ctl/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "ctl/text.h"
#include "queries.h"

#define PROJECT_JSON                                                                                         \
        "{\"project\", \"repo\", \"tracker\", \"forge\", \"location\", \"default_branch\", \"prefix\", "     \
        "\"test_command\", "                                                                                 \
        "\"active\"}"

static void render_added(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        strbuf_addstr(sb, "project ");
        text_clean(sb, show_str(doc, "project"));
        strbuf_addstr(sb, " is registered; its work items are called ");
        text_clean(sb, show_str(doc, "prefix"));
        strbuf_addstr(sb, "-N\n");
}

/* The daemons have another working folder: the path must be absolute. A path that does not exist here may
 * exist on the hosts that use it. */
static char *absolute_location(const char *location)
{
        char *real = realpath(location, NULL);
        return real != NULL || location[0] != '/' ? real : xstrdup(location);
}

static int run_project_add(struct ctl *c)
{
        const char *name = args_word(&c->args, 0), *typed = args_word(&c->args, 1);
        const char *repo = args_value(&c->args, "repo"), *branch = args_value(&c->args, "default-branch");
        const char *prefix = args_value(&c->args, "prefix"), *test = args_value(&c->args, "test");
        if (prefix == NULL || test == NULL)
                return ctl_fail(EXIT_USAGE, "project add wants %s",
                                prefix == NULL ? "--prefix PREFIX" : "--test COMMAND");
        _cleanup_(freep) char *location = absolute_location(typed);
        if (location == NULL)
                return ctl_fail(EXIT_FAILED, "cannot find the repository %s: %s", typed, strerror(errno));
        const char *params[] = {name,     repo != NULL ? repo : name,       "local",
                                location, branch != NULL ? branch : "main", prefix,
                                test};
        return show_document(c, &Q_CTL_PROJECT_ADD, params, render_added);
}

static void render_projects(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct table_column columns[] = {{.title = "PROJECT"},
                                                      {.title = "PREFIX"},
                                                      {.title = "REPO"},
                                                      {.title = "BRANCH"},
                                                      {.title = "LOCATION", .shrinks = true},
                                                      {.title = "TEST COMMAND", .shrinks = true}};
        static const char *const keys[] = {"project",        "prefix",   "repo",
                                           "default_branch", "location", "test_command"};
        const struct json *projects = json_get(doc, "projects");
        struct table t;
        if (json_len(projects) == 0) {
                strbuf_addstr(sb, "No project yet. `orchctl project add` registers one.\n");
                return;
        }
        table_init(&t, columns, ARRAY_SIZE(columns));
        for (size_t i = 0; i < json_len(projects); i++)
                for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
                        table_add(&t, show_str(json_at(projects, i), keys[k]));
        table_print(&t, term, sb);
        table_deinit(&t);
}

static int run_project_list(struct ctl *c)
{
        return show_document(c, &Q_CTL_PROJECT_LIST, NULL, render_projects);
}

const struct command command_project_add = {
        .name = "project add",
        .group = GROUP_ACT,
        .args = "NAME LOCATION --prefix PREFIX --test COMMAND",
        .min_args = 2,
        .max_args = 2,
        .summary = "register a project: a bare repository and its tests",
        .text = "LOCATION is the path of a bare git repository, the same on every host. Its default branch "
                "is only ever "
                "changed by a merge that was tested. Registering the same project again with the same "
                "settings changes "
                "nothing.",
        .json = PROJECT_JSON,
        .options =
                (const struct command_option[]){
                        {"prefix", 0, "PREFIX", "prefix of its work items, such as DEMO; required"},
                        {"test", 0, "COMMAND",
                         "shell command that tests a checkout, exit 0 is green; required"},
                        {"repo", 0, "NAME",
                         "name of the repository in settings and lists (NAME of the project)"},
                        {"default-branch", 0, "BRANCH", "branch that is cut from and merged into (main)"},
                        {.name = NULL},
                },
        .examples =
                (const struct command_example[]){
                        {"orchctl project add demo /srv/git/demo.git --prefix DEMO --test 'make check'",
                         "Register a repository"},
                        {.line = NULL},
                },
        .run = run_project_add,
};

const struct command command_project_list = {
        .name = "project list",
        .group = GROUP_LOOK,
        .args = "",
        .summary = "list the projects",
        .text = "Every registered project with its repository and test command.",
        .json = "{\"projects\": [" PROJECT_JSON "]}",
        .examples = (const struct command_example[]){{"orchctl project list", "Which projects are there"},
                                                     {.line = NULL}},
        .run = run_project_list,
};
