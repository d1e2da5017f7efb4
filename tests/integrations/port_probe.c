/*
 * port_probe.c - one call of an adapter to the outside, on the command line, for the tests beside it.
 *
 *     port_probe plane CALL url=URL token=FILE workspace=SLUG project=UUID [segment=work-items] [item=UUID]
 *                           [parts=3] [state=UUID] [marker=M] [text=T] [cursor=C]
 *
 * CALL is item, items, states, labels, project, set_state or comment. Prints the outcome, what was said about
 * it, and the JSON, a line each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/mem.h"
#include "common/plane.h"
#include "common/http_client.h"

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

static struct plane_call *start(struct plane *plane, const char *verb)
{
        const char *item = get("item", "");
        if (strcmp(verb, "item") == 0)
                return plane_item(plane, item, (unsigned)atoi(get("parts", "3")), on_answer, NULL);
        if (strcmp(verb, "items") == 0)
                return plane_items(plane, get("cursor", NULL), on_answer, NULL);
        if (strcmp(verb, "states") == 0)
                return plane_states(plane, on_answer, NULL);
        if (strcmp(verb, "labels") == 0)
                return plane_labels(plane, on_answer, NULL);
        if (strcmp(verb, "project") == 0)
                return plane_project(plane, on_answer, NULL);
        if (strcmp(verb, "set_state") == 0)
                return plane_set_state(plane, item, get("state", ""), on_answer, NULL);
        if (strcmp(verb, "comment") == 0)
                return plane_comment(plane, item, get("marker", ""), get("text", ""), on_answer, NULL);
        return NULL;
}

int main(int argc, char **argv)
{
        struct http_client *http = NULL;
        const char *url;
        p.argc = argc;
        p.argv = argv;
        if (argc < 3 || strcmp(argv[1], "plane") != 0)
                return 2;
        url = get("url", "");
        const struct http_client_config cfg = {
                .connect_timeout_ms = 2000,
                .total_timeout_ms = atoi(get("timeout_ms", "5000")),
                .max_response_bytes = 1u << 20,
                .allow_plain_hosts = strncmp(url, "http://", 7) == 0 ? url + 7 : NULL,
        };
        if (loop_new(&p.loop) < 0 || http_client_new(p.loop, &cfg, &http) < 0)
                return 3;
        const struct plane_config plane_cfg = {
                .http = http,
                .url = url,
                .token_file = get("token", ""),
                .workspace = get("workspace", ""),
                .project = get("project", ""),
                .segment = get("segment", "work-items"),
        };
        struct plane *plane = plane_new(&plane_cfg);
        int r = start(plane, argv[2]) != NULL ? loop_run(p.loop) : 2;
        plane_free(plane);
        http_client_free(http);
        loop_free(p.loop);
        return r < 0 ? 3 : r;
}
