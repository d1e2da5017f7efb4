/* cmd_project.c - orchctl project list: the registry of projects. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "ctl/table.h"
#include "queries.h"

#define PROJECT_JSON                                                                                         \
        "{\"project\", \"repo\", \"tracker\", \"forge\", \"location\", \"default_branch\", \"prefix\", "     \
        "\"test_command\", "                                                                                 \
        "\"active\"}"

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
