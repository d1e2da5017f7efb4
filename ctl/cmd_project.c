/* cmd_project.c - orchctl project list: the registry of projects. */
#include "ctl/commands.h"

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/show.h"
#include "queries.h"

#define PROJECT_JSON                                                                                         \
        "{\"project\", \"repo\", \"tracker\", \"forge\", \"location\", \"default_branch\", \"prefix\", "     \
        "\"test_command\", "                                                                                 \
        "\"active\"}"

static void render_projects(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        static const struct show_column columns[] = {
                {"project", {.title = "PROJECT"}},
                {"prefix", {.title = "PREFIX"}},
                {"repo", {.title = "REPO"}},
                {"default_branch", {.title = "BRANCH"}},
                {"location", {.title = "LOCATION", .shrinks = true}},
                {"test_command", {.title = "TEST COMMAND", .shrinks = true}},
        };
        const struct json *projects = json_get(doc, "projects");
        if (json_len(projects) == 0)
                strbuf_addstr(sb, "No project yet. `orchctl project add` registers one.\n");
        else
                show_rows(projects, columns, ARRAY_SIZE(columns), term, sb);
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
