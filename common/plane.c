/*
 * plane.c - calls of one to several requests; each request is a step that says what comes after it.
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
#include "common/plane_read.h"
#include "common/rest.h"
#include "common/strbuf.h"

#define PAGE_SIZE "100"
#define FIELDS    "id,sequence_id,name,state,priority,labels,updated_at" /* no descriptions: may be long */
#define PAGES_MAX 50 /* of one call: what is longer is no list of states or comments */

struct plane {
        struct rest *rest;
        char *projects; /* "/api/v1/workspaces/SLUG/projects/" */
        char *base;     /* that, and the project's UUID */
        char *segment;  /* "work-items" */
};

typedef void plane_read_fn(struct json_out *out, const struct json *element);

struct plane_call {
        struct plane *plane;
        struct rest_call *rest;
        char *item;
        unsigned parts;
        struct json_out *out; /* the answer so far; its object is open */
        /* of a list that is followed to its end */
        char *path;
        plane_read_fn *read;
        unsigned pages;
        void (*then)(struct plane_call *call); /* when the list has ended */
        char *state;                           /* that was asked for */
        char *keep;                            /* that are not to be overwritten */
        plane_answer_fn *fn;
        void *arg;
};

/* A wrong key and a missing right are not told apart. */
static enum port_outcome means(const struct rest_answer *answer)
{
        return answer->status == 403 ? PORT_DENIED : answer->port.outcome;
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

static void free_call(struct plane_call *call)
{
        rest_cancel(call->rest);
        if (call->out != NULL)
                json_out_free(call->out);
        free(call->item);
        free(call->path);
        free(call->state);
        free(call->keep);
        free(call);
}

void plane_cancel(struct plane_call *call)
{
        if (call != NULL)
                free_call(call);
}

static void end(struct plane_call *call, const struct port_answer *port)
{
        struct strbuf json = STRBUF_INIT;
        plane_answer_fn *fn = call->fn;
        void *arg = call->arg;
        if (port->outcome == PORT_OK) {
                json_out_object_end(call->out);
                json_out_finish(call->out, &json);
        }
        free_call(call);
        fn(arg, port, port->outcome == PORT_OK ? json.buf : NULL);
        strbuf_deinit(&json);
}

static void done(struct plane_call *call)
{
        const struct port_answer ok = {.outcome = PORT_OK, .retry_after_s = -1, .err = ERRINFO_INIT};
        end(call, &ok);
}

/* Takes a step's answer; false: the call has ended with it. */
static bool took(struct plane_call *call, const struct rest_answer *answer)
{
        call->rest = NULL;
        if (answer->port.outcome == PORT_OK)
                return true;
        end(call, &answer->port);
        return false;
}

static void ask(struct plane_call *call, const char *method, const char *path, struct json_out *body,
                rest_answer_fn *fn)
{
        call->rest = rest_start(call->plane->rest, method, path, body, fn, call);
}

static struct plane_call *new_call(struct plane *plane, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = xcalloc(1, sizeof(*call));
        *call = (struct plane_call){.plane = plane, .out = json_out_new(false), .fn = fn, .arg = arg};
        json_out_object(call->out);
        return call;
}

/* "/BASE/work-items/UUID/", and what follows it. */
static char *item_path(const struct plane_call *call, const char *rest)
{
        struct strbuf path = STRBUF_INIT;
        strbuf_addf(&path, "%s/%s/", call->plane->base, call->plane->segment);
        rest_encode(&path, call->item, "");
        strbuf_addf(&path, "/%s", rest);
        return strbuf_take(&path);
}

/* ---- lists ---- */

static void next_page(struct plane_call *call, const char *cursor);

static void on_page(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        bool more = false;
        if (!took(call, answer))
                return;
        const struct json *results = json_get(answer->json, "results");
        for (size_t i = 0; i < json_len(results); i++)
                call->read(call->out, json_at(results, i));
        const char *cursor = json_str(json_get(answer->json, "next_cursor"));
        if (json_bool(json_get(answer->json, "next_page_results"), &more) && more && cursor != NULL &&
            ++call->pages < PAGES_MAX) {
                next_page(call, cursor);
                return;
        }
        json_out_array_end(call->out);
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
        ask(call, "GET", path.buf, NULL, on_page);
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
        json_out_key(call->out, key);
        json_out_array(call->out);
        next_page(call, NULL);
}

struct plane_call *plane_states(struct plane *plane, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        list(call, xasprintf("%s/states/", plane->base), "states", plane_read_state, done);
        return call;
}

static void on_account(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        /* servers that do not tell: our echo is known by the state alone */
        if (answer->status != 404 && !took(call, answer))
                return;
        call->rest = NULL;
        json_out_kstr(call->out, "account", json_str(json_get(answer->json, "id")));
        list(call, xasprintf("%s/states/", call->plane->base), "states", plane_read_state, done);
}

struct plane_call *plane_board(struct plane *plane, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        ask(call, "GET", "/api/v1/users/me/", NULL, on_account);
        return call;
}

struct plane_call *plane_labels(struct plane *plane, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        list(call, xasprintf("%s/labels/", plane->base), "labels", plane_read_label, done);
        return call;
}

/* ---- one item ---- */

static void comments(struct plane_call *call)
{
        if ((call->parts & PLANE_COMMENTS) != 0)
                list(call, item_path(call, "comments/"), "comments", plane_read_comment, done);
        else
                done(call);
}

static void on_relations(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        /* servers before 1.3 have none to tell of */
        if (answer->status != 404 && !took(call, answer))
                return;
        call->rest = NULL;
        json_out_key(call->out, "blocked_by");
        plane_read_blocked_by(call->out, answer->json);
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
        ask(call, "GET", path.buf, NULL, on_relations);
        strbuf_deinit(&path);
}

static void on_item(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!took(call, answer))
                return;
        plane_read_item(call->out, answer->json);
        relations(call);
}

struct plane_call *plane_item(struct plane *plane, const char *item, unsigned parts, plane_answer_fn *fn,
                              void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        call->item = xstrdup(item);
        call->parts = parts;
        _cleanup_(freep) char *path = item_path(call, "?expand=labels");
        ask(call, "GET", path, NULL, on_item);
        return call;
}

/* ---- a page of items, the project ---- */

static void on_items(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        bool more = false;
        if (!took(call, answer))
                return;
        const struct json *results = json_get(answer->json, "results");
        json_out_key(call->out, "items");
        json_out_array(call->out);
        for (size_t i = 0; i < json_len(results); i++) {
                json_out_object(call->out);
                plane_read_item(call->out, json_at(results, i));
                json_out_object_end(call->out);
        }
        json_out_array_end(call->out);
        (void)json_bool(json_get(answer->json, "next_page_results"), &more);
        json_out_kstr(call->out, "next", more ? json_str(json_get(answer->json, "next_cursor")) : NULL);
        done(call);
}

struct plane_call *plane_items(struct plane *plane, const char *cursor, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        struct strbuf path = STRBUF_INIT;
        strbuf_addf(&path, "%s/%s/?order_by=-updated_at&expand=labels&fields=" FIELDS "&per_page=" PAGE_SIZE,
                    plane->base, plane->segment);
        if (cursor != NULL) {
                strbuf_addstr(&path, "&cursor=");
                rest_encode(&path, cursor, ":");
        }
        ask(call, "GET", path.buf, NULL, on_items);
        strbuf_deinit(&path);
        return call;
}

static void on_project(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!took(call, answer))
                return;
        plane_read_project(call->out, answer->json);
        done(call);
}

struct plane_call *plane_project(struct plane *plane, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        _cleanup_(freep) char *path = xasprintf("%s/", plane->base);
        ask(call, "GET", path, NULL, on_project);
        return call;
}

static void read_listed_project(struct json_out *out, const struct json *project)
{
        json_out_object(out);
        plane_read_project(out, project);
        json_out_object_end(out);
}

struct plane_call *plane_projects(struct plane *plane, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        list(call, xstrdup(plane->projects), "projects", read_listed_project, done);
        return call;
}

static void on_me(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!took(call, answer))
                return;
        json_out_kstr(call->out, "id", json_str(json_get(answer->json, "id")));
        json_out_kstr(call->out, "name", json_str(json_get(answer->json, "display_name")));
        done(call);
}

struct plane_call *plane_me(struct plane *plane, plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        ask(call, "GET", "/api/v1/users/me/", NULL, on_me);
        return call;
}

/* ---- acts ---- */

static void end_with(struct plane_call *call, enum port_outcome outcome, const char *why, const char *state)
{
        struct port_answer port = {.outcome = outcome, .retry_after_s = -1, .err = ERRINFO_INIT};
        err_set(&port.err, "", "%s %s", why, state != NULL ? state : "nothing");
        end(call, &port);
}

static void put_state(struct plane_call *call, const struct json *item)
{
        json_out_kstr(call->out, "state", call->state);
        json_out_kstr(call->out, "updated_at", json_str(json_get(item, "updated_at")));
        done(call);
}

static void on_state_set(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!took(call, answer))
                return;
        const char *state = json_str(json_get(answer->json, "state"));
        if (state != NULL && strcmp(state, call->state) == 0)
                put_state(call, answer->json);
        else
                end_with(call, PORT_CONFLICT, "Plane took the request and left the state at", state);
}

static bool has_word(const char *words, const char *word)
{
        size_t len = strlen(word);
        for (const char *at = words; len > 0 && (at = strstr(at, word)) != NULL; at += len)
                if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
                        return true;
        return false;
}

static void on_state_read(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        if (!took(call, answer))
                return;
        const char *state = json_str(json_get(answer->json, "state"));
        if (state != NULL && strcmp(state, call->state) == 0) {
                put_state(call, answer->json);
                return;
        }
        if (state != NULL && has_word(call->keep, state)) {
                end_with(call, PORT_CONFLICT, "somebody has meanwhile set the state", state);
                return;
        }
        struct json_out *body = json_out_new(false);
        json_out_object(body);
        json_out_kstr(body, "state", call->state);
        json_out_object_end(body);
        _cleanup_(freep) char *path = item_path(call, "");
        ask(call, "PATCH", path, body, on_state_set);
}

struct plane_call *plane_set_state(struct plane *plane, const char *item, const char *state, const char *keep,
                                   plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        call->item = xstrdup(item);
        call->state = xstrdup(state);
        call->keep = xstrdup(keep);
        _cleanup_(freep) char *path = item_path(call, "?fields=state,updated_at");
        ask(call, "GET", path, NULL, on_state_read);
        return call;
}

static void on_commented(void *arg, const struct rest_answer *answer)
{
        struct plane_call *call = arg;
        const char *found = json_str(json_get(answer->json, "id"));
        if (answer->status == 409 && found != NULL)
                call->rest = NULL; /* it is there already */
        else if (!took(call, answer))
                return;
        json_out_kstr(call->out, "id", found);
        done(call);
}

struct plane_call *plane_comment(struct plane *plane, const char *item, const char *marker, const char *text,
                                 plane_answer_fn *fn, void *arg)
{
        struct plane_call *call = new_call(plane, fn, arg);
        struct json_out *body = json_out_new(false);
        struct strbuf html = STRBUF_INIT;
        call->item = xstrdup(item);
        plane_html(&html, text);
        json_out_object(body);
        json_out_kstr(body, "comment_html", html.buf);
        json_out_kstr(body, "access", "INTERNAL");
        json_out_kstr(body, "external_source", PLANE_SOURCE);
        json_out_kstr(body, "external_id", marker);
        json_out_object_end(body);
        strbuf_deinit(&html);
        _cleanup_(freep) char *path = item_path(call, "comments/");
        ask(call, "POST", path, body, on_commented);
        return call;
}
