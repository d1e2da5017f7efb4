/*
 * plane.c - questions. What is done there is in plane_act.c.
 *
 * Paths end in a slash, or Plane redirects and a body is lost. Lists are followed by next_page_results, not
 * by the cursor, which is never empty.
 */
#include "common/plane.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/plane_call.h"
#include "common/plane_read.h"
#include "common/strbuf.h"

#define PAGE_SIZE "100"
#define FIELDS    "id,sequence_id,name,state,priority,labels,updated_at" /* no descriptions: may be long */
#define PAGES_MAX 50 /* of one call: what is longer is no list of states or comments */

/* A wrong key and a missing right differ in their words alone. */
static enum port_outcome means(const struct rest_answer *answer)
{
        const char *why = rest_reason(answer->json);
        if (answer->status != 403)
                return answer->port.outcome;
        return why != NULL && strstr(why, "token is not valid") != NULL ? PORT_DENIED : PORT_FORBIDDEN;
}

struct plane *plane_new(const struct plane_config *cfg)
{
        struct plane *plane = xcalloc(1, sizeof(*plane));
        struct strbuf projects = STRBUF_INIT, base = STRBUF_INIT;
        const struct rest_config rest = {.http = cfg->http,
                                         .url = cfg->url,
                                         .token_file = cfg->token_file,
                                         .header = "X-API-Key",
                                         .means = means};
        strbuf_addstr(&projects, "/api/v1/workspaces/");
        rest_encode(&projects, cfg->workspace, "");
        strbuf_addstr(&projects, "/projects/");
        strbuf_addstr(&base, projects.buf);
        rest_encode(&base, cfg->project != NULL ? cfg->project : "", "");
        *plane = (struct plane){.rest = rest_new(&rest),
                                .projects = strbuf_take(&projects),
                                .base = strbuf_take(&base),
                                .segment = xstrdup(cfg->segment != NULL ? cfg->segment : "")};
        return plane;
}

void plane_free(struct plane *plane)
{
        if (plane == NULL)
                return;
        rest_free(plane->rest);
        free(plane->projects);
        free(plane->base);
        free(plane->segment);
        free(plane);
}

static void free_call(void *arg)
{
        struct plane_call *call = arg;
        char *strings[] = {call->item, call->path, call->state, call->keep};
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        free(call);
}

void plane_cancel(struct plane_call *call)
{
        rest_talk_cancel(call != NULL ? &call->talk : NULL);
}

struct plane_call *plane_call_new(struct plane *plane, port_json_fn *fn, void *arg)
{
        struct plane_call *call = xcalloc(1, sizeof(*call));
        call->plane = plane;
        rest_talk_init(&call->talk, plane->rest, free_call, fn, arg);
        return call;
}

char *plane_item_path(const struct plane_call *call, const char *rest)
{
        struct strbuf path = STRBUF_INIT;
        strbuf_addf(&path, "%s/%s/", call->plane->base, call->plane->segment);
        rest_encode(&path, call->item, "");
        strbuf_addf(&path, "/%s", rest);
        return strbuf_take(&path);
}

/* ---- lists ---- */

static void end(struct plane_call *call)
{
        rest_talk_done(&call->talk);
}

static void next_page(struct plane_call *call, const char *cursor);

static void on_page(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        bool more = false;
        if (!rest_talk_took(&call->talk, answer))
                return;
        const struct json *results = json_get(answer->json, "results");
        for (size_t i = 0; i < json_len(results); i++)
                call->read(call->talk.out, json_at(results, i));
        const char *cursor = json_str(json_get(answer->json, "next_cursor"));
        if (json_bool(json_get(answer->json, "next_page_results"), &more) && more && cursor != NULL &&
            ++call->pages < PAGES_MAX) {
                next_page(call, cursor);
                return;
        }
        json_out_array_end(call->talk.out);
        call->then(call);
}

static void next_page(struct plane_call *call, const char *cursor)
{
        struct strbuf path = STRBUF_INIT;
        strbuf_addf(&path, "%s?per_page=" PAGE_SIZE, call->path);
        if (cursor != NULL) {
                strbuf_addstr(&path, "&cursor=");
                rest_encode(&path, cursor, ":");
        }
        rest_talk_ask(&call->talk, "GET", path.buf, NULL, on_page);
        strbuf_deinit(&path);
}

/* Reads a whole list into the array `key` of the answer. Takes the path. */
static void list(struct plane_call *call, char *path, const char *key, plane_read_fn *read,
                 void (*then)(struct plane_call *call))
{
        free(call->path);
        call->path = path;
        call->read = read;
        call->then = then;
        call->pages = 0;
        json_out_key(call->talk.out, key);
        json_out_array(call->talk.out);
        next_page(call, NULL);
}

struct plane_call *plane_states(struct plane *plane, port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        list(call, xasprintf("%s/states/", plane->base), "states", plane_read_state, end);
        return call;
}

static void on_account(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        /* servers that do not tell: our echo is known by the state alone */
        if (answer->status != 404 && !rest_talk_took(&call->talk, answer))
                return;
        rest_talk_heard(&call->talk);
        json_out_kstr(call->talk.out, "account", json_str(json_get(answer->json, "id")));
        list(call, xasprintf("%s/states/", call->plane->base), "states", plane_read_state, end);
}

struct plane_call *plane_board(struct plane *plane, port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        rest_talk_ask(&call->talk, "GET", "/api/v1/users/me/", NULL, on_account);
        return call;
}

struct plane_call *plane_labels(struct plane *plane, port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        list(call, xasprintf("%s/labels/", plane->base), "labels", plane_read_label, end);
        return call;
}

/* ---- one item ---- */

static void comments(struct plane_call *call)
{
        if ((call->parts & PLANE_COMMENTS) != 0)
                list(call, plane_item_path(call, "comments/"), "comments", plane_read_comment, end);
        else
                rest_talk_done(&call->talk);
}

static void on_relations(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        /* servers before 1.3 have none to tell of */
        if (answer->status != 404 && !rest_talk_took(&call->talk, answer))
                return;
        rest_talk_heard(&call->talk);
        json_out_key(call->talk.out, "blocked_by");
        plane_read_blocked_by(call->talk.out, answer->json);
        comments(call);
}

/* Only under this segment, whatever the others are called. */
static void relations(struct plane_call *call)
{
        struct strbuf path = STRBUF_INIT;
        if ((call->parts & PLANE_BLOCKED_BY) == 0) {
                comments(call);
                return;
        }
        strbuf_addf(&path, "%s/work-items/", call->plane->base);
        rest_encode(&path, call->item, "");
        strbuf_addstr(&path, "/relations/");
        rest_talk_ask(&call->talk, "GET", path.buf, NULL, on_relations);
        strbuf_deinit(&path);
}

static void on_item(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        plane_read_item(call->talk.out, answer->json);
        relations(call);
}

struct plane_call *plane_item(struct plane *plane, const char *item, unsigned parts, port_json_fn *fn,
                              void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        call->item = xstrdup(item);
        call->parts = parts;
        _cleanup_(freep) char *path = plane_item_path(call, "?expand=labels");
        rest_talk_ask(&call->talk, "GET", path, NULL, on_item);
        return call;
}

/* ---- a page of items, the project ---- */

static void on_items(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        bool more = false;
        if (!rest_talk_took(&call->talk, answer))
                return;
        const struct json *results = json_get(answer->json, "results");
        json_out_key(call->talk.out, "items");
        json_out_array(call->talk.out);
        for (size_t i = 0; i < json_len(results); i++) {
                json_out_object(call->talk.out);
                plane_read_item(call->talk.out, json_at(results, i));
                json_out_object_end(call->talk.out);
        }
        json_out_array_end(call->talk.out);
        (void)json_bool(json_get(answer->json, "next_page_results"), &more);
        json_out_kstr(call->talk.out, "next", more ? json_str(json_get(answer->json, "next_cursor")) : NULL);
        rest_talk_done(&call->talk);
}

struct plane_call *plane_items(struct plane *plane, const char *cursor, port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        struct strbuf path = STRBUF_INIT;
        strbuf_addf(&path, "%s/%s/?order_by=-updated_at&expand=labels&fields=" FIELDS "&per_page=" PAGE_SIZE,
                    plane->base, plane->segment);
        if (cursor != NULL) {
                strbuf_addstr(&path, "&cursor=");
                rest_encode(&path, cursor, ":");
        }
        rest_talk_ask(&call->talk, "GET", path.buf, NULL, on_items);
        strbuf_deinit(&path);
        return call;
}

static void on_project(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        plane_read_project(call->talk.out, answer->json);
        rest_talk_done(&call->talk);
}

struct plane_call *plane_project(struct plane *plane, port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        _cleanup_(freep) char *path = xasprintf("%s/", plane->base);
        rest_talk_ask(&call->talk, "GET", path, NULL, on_project);
        return call;
}

static void read_listed_project(struct json_out *out, const struct json *project)
{
        json_out_object(out);
        plane_read_project(out, project);
        json_out_object_end(out);
}

struct plane_call *plane_projects(struct plane *plane, port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        list(call, xstrdup(plane->projects), "projects", read_listed_project, end);
        return call;
}

static void on_me(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        json_out_kstr(call->talk.out, "id", json_str(json_get(answer->json, "id")));
        json_out_kstr(call->talk.out, "name", json_str(json_get(answer->json, "display_name")));
        rest_talk_done(&call->talk);
}

struct plane_call *plane_me(struct plane *plane, port_json_fn *fn, void *arg)
{
        struct plane_call *call = plane_call_new(plane, fn, arg);
        rest_talk_ask(&call->talk, "GET", "/api/v1/users/me/", NULL, on_me);
        return call;
}
