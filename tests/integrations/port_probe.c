/*
 * port_probe.c - one call of an adapter to the outside, on the command line, for the tests beside it.
 *
 *     port_probe plane CALL url=URL token=FILE workspace=SLUG project=UUID [segment=work-items] [item=UUID]
 *                           [parts=3] [state=UUID] [marker=M] [text=T] [cursor=C]
 *     port_probe gitea CALL url=URL token=FILE repo=OWNER/NAME [branch=B] [base=B] [sha=S] [number=N]
 * [title=T] [hook=URL] [secret=S] [marker=M] [text=T]
 *
 * CALL is a function of plane.h or gitea.h without its prefix. Prints the outcome, what was said about
 * it, and the JSON, a line each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/gitea.h"
#include "common/http_client.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/plane.h"

static struct {
        int argc;
        char **argv;
        struct loop *loop;
} p;

static const char *get(const char *key, const char *otherwise)
{
        size_t len = strlen(key);
        for (int i = 3; i < p.argc; i++)
                if (strncmp(p.argv[i], key, len) == 0 && p.argv[i][len] == '=')
                        return p.argv[i] + len + 1;
        return otherwise;
}

static void on_answer(void *arg, const struct port_answer *answer, const char *json)
{
        (void)arg;
        printf("%s %lld\n%s\n%s\n", port_outcome_name(answer->outcome), (long long)answer->retry_after_s,
               answer->err.text, json != NULL ? json : "null");
        loop_stop(p.loop);
}

static struct plane_call *start_plane(struct plane *plane, const char *verb)
{
        const char *item = get("item", "");
        if (strcmp(verb, "item") == 0)
                return plane_item(plane, item, (unsigned)atoi(get("parts", "3")), on_answer, NULL);
        if (strcmp(verb, "items") == 0)
                return plane_items(plane, get("cursor", NULL), on_answer, NULL);
        if (strcmp(verb, "states") == 0)
                return plane_states(plane, on_answer, NULL);
        if (strcmp(verb, "board") == 0)
                return plane_board(plane, on_answer, NULL);
        if (strcmp(verb, "labels") == 0)
                return plane_labels(plane, on_answer, NULL);
        if (strcmp(verb, "project") == 0)
                return plane_project(plane, on_answer, NULL);
        if (strcmp(verb, "set_state") == 0)
                return plane_set_state(plane, item, get("state", ""), get("keep", ""), on_answer, NULL);
        if (strcmp(verb, "projects") == 0)
                return plane_projects(plane, on_answer, NULL);
        if (strcmp(verb, "me") == 0)
                return plane_me(plane, on_answer, NULL);
        if (strcmp(verb, "comment") == 0)
                return plane_comment(plane, item, get("marker", ""), get("text", ""), on_answer, NULL);
        return NULL;
}

static struct gitea_call *start_gitea(struct gitea *gitea, const char *verb)
{
        const char *branch = get("branch", "");
        long number = atol(get("number", "0"));
        if (strcmp(verb, "user") == 0)
                return gitea_user(gitea, on_answer, NULL);
        if (strcmp(verb, "repo") == 0)
                return gitea_repo(gitea, on_answer, NULL);
        if (strcmp(verb, "branch") == 0)
                return gitea_branch(gitea, branch, on_answer, NULL);
        if (strcmp(verb, "branches") == 0)
                return gitea_branches(gitea, on_answer, NULL);
        if (strcmp(verb, "delete_branch") == 0)
                return gitea_delete_branch(gitea, branch, on_answer, NULL);
        if (strcmp(verb, "statuses") == 0)
                return gitea_statuses(gitea, get("sha", ""), on_answer, NULL);
        if (strcmp(verb, "pull") == 0)
                return gitea_pull(gitea, number, on_answer, NULL);
        if (strcmp(verb, "find_pull") == 0)
                return gitea_find_pull(gitea, branch, get("base", "main"), on_answer, NULL);
        if (strcmp(verb, "open_pull") == 0)
                return gitea_open_pull(gitea, branch, get("base", "main"), get("title", ""), get("text", ""),
                                       on_answer, NULL);
        if (strcmp(verb, "merge") == 0)
                return gitea_merge(gitea, number, get("sha", ""), get("title", ""), on_answer, NULL);
        if (strcmp(verb, "reviews") == 0)
                return gitea_reviews(gitea, number, on_answer, NULL);
        if (strcmp(verb, "comment") == 0)
                return gitea_comment(gitea, number, get("marker", ""), get("text", ""), on_answer, NULL);
        if (strcmp(verb, "hooks") == 0)
                return gitea_hooks(gitea, on_answer, NULL);
        if (strcmp(verb, "make_hook") == 0)
                return gitea_make_hook(gitea, get("hook", ""), get("secret", ""), on_answer, NULL);
        if (strcmp(verb, "delete_hook") == 0)
                return gitea_delete_hook(gitea, number, on_answer, NULL);
        return NULL;
}

static int run_plane(struct http_client *http, const char *verb)
{
        const struct plane_config cfg = {
                .http = http,
                .url = get("url", ""),
                .token_file = get("token", ""),
                .workspace = get("workspace", ""),
                .project = get("project", ""),
                .segment = get("segment", "work-items"),
        };
        struct plane *plane = plane_new(&cfg);
        int r = start_plane(plane, verb) != NULL ? loop_run(p.loop) : 2;
        plane_free(plane);
        return r;
}

static int run_gitea(struct http_client *http, const char *verb)
{
        const struct gitea_config cfg = {
                .http = http, .url = get("url", ""), .token_file = get("token", ""), .repo = get("repo", "")};
        struct gitea *gitea = gitea_new(&cfg);
        int r = start_gitea(gitea, verb) != NULL ? loop_run(p.loop) : 2;
        gitea_free(gitea);
        return r;
}

int main(int argc, char **argv)
{
        struct http_client *http = NULL;
        p.argc = argc;
        p.argv = argv;
        if (argc < 3)
                return 2;
        const char *url = get("url", "");
        const struct http_client_config cfg = {
                .connect_timeout_ms = 2000,
                .total_timeout_ms = atoi(get("timeout_ms", "5000")),
                .max_response_bytes = 1u << 20,
                .allow_plain_hosts = strncmp(url, "http://", 7) == 0 ? url + 7 : NULL,
        };
        if (loop_new(&p.loop) < 0 || http_client_new(p.loop, &cfg, &http) < 0)
                return 3;
        int r = strcmp(argv[1], "plane") == 0 ? run_plane(http, argv[2]) : run_gitea(http, argv[2]);
        http_client_free(http);
        loop_free(p.loop);
        return r < 0 ? 3 : r;
}
