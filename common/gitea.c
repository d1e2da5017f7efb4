/*
 * gitea.c - questions, and acts of one request. Pull requests are in gitea_pull.c.
 *
 * Lists are followed by page numbers: the addresses of a Link header name the server as it sees itself.
 */
#include "common/gitea.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/gitea_call.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"

/* A right that the token was not given. Any other 403 is of this act alone, whoever asks: a protected branch,
 * somebody else's repository. */
static enum port_outcome means(const struct rest_answer *answer)
{
        const char *why = rest_reason(answer->json);
        bool of_token = why != NULL && strstr(why, "token") != NULL && strstr(why, "scope") != NULL;
        return answer->status == 403 && of_token ? PORT_FORBIDDEN : answer->port.outcome;
}

struct gitea *gitea_new(const struct gitea_config *cfg)
{
        struct gitea *gitea = xcalloc(1, sizeof(*gitea));
        struct strbuf base = STRBUF_INIT;
        _cleanup_(freep) char *url = xasprintf("%s/api/v1", cfg->url);
        const struct rest_config rest = {.http = cfg->http,
                                         .url = url,
                                         .token_file = cfg->token_file,
                                         .header = "Authorization",
                                         .prefix = "token ",
                                         .means = means};
        strbuf_addstr(&base, "/repos/");
        rest_encode(&base, cfg->repo, "/");
        *gitea = (struct gitea){.rest = rest_new(&rest), .base = strbuf_take(&base)};
        return gitea;
}

void gitea_free(struct gitea *gitea)
{
        if (gitea == NULL)
                return;
        rest_free(gitea->rest);
        free(gitea->base);
        free(gitea);
}

/* ---- what all calls do ---- */

static void free_call(struct gitea_call *call)
{
        char *strings[] = {call->path, call->branch, call->base, call->body, call->head, call->marker};
        rest_cancel(call->rest);
        if (call->out != NULL)
                json_out_free(call->out);
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        free(call);
}

void gitea_cancel(struct gitea_call *call)
{
        if (call != NULL)
                free_call(call);
}

struct gitea_call *gitea_call_new(struct gitea *gitea, gitea_answer_fn *fn, void *arg)
{
        struct gitea_call *call = xcalloc(1, sizeof(*call));
        *call = (struct gitea_call){.gitea = gitea, .out = json_out_new(false), .fn = fn, .arg = arg};
        json_out_object(call->out);
        return call;
}

void gitea_end(struct gitea_call *call, const struct port_answer *port)
{
        struct strbuf json = STRBUF_INIT;
        gitea_answer_fn *fn = call->fn;
        void *arg = call->arg;
        if (port->outcome == PORT_OK) {
                json_out_object_end(call->out);
                json_out_finish(call->out, &json);
        }
        free_call(call);
        fn(arg, port, port->outcome == PORT_OK ? json.buf : NULL);
        strbuf_deinit(&json);
}

void gitea_done(struct gitea_call *call)
{
        const struct port_answer ok = {.outcome = PORT_OK, .retry_after_s = -1, .err = ERRINFO_INIT};
        gitea_end(call, &ok);
}

void gitea_fail(struct gitea_call *call, enum port_outcome outcome, const char *why)
{
        struct port_answer port = {.outcome = outcome, .retry_after_s = -1, .err = ERRINFO_INIT};
        err_set(&port.err, "", "%s", why);
        gitea_end(call, &port);
}

bool gitea_took(struct gitea_call *call, const struct rest_answer *answer)
{
        call->rest = NULL;
        if (answer->port.outcome == PORT_OK)
                return true;
        gitea_end(call, &answer->port);
        return false;
}

void gitea_ask(struct gitea_call *call, const char *method, const char *path, struct json_out *body,
               rest_answer_fn *fn)
{
        call->rest = rest_start(call->gitea->rest, method, path, body, fn, call);
}

char *gitea_path(const struct gitea *gitea, const char *fmt, ...)
{
        struct strbuf path = STRBUF_INIT;
        va_list ap;
        strbuf_addstr(&path, gitea->base);
        va_start(ap, fmt);
        strbuf_vaddf(&path, fmt, ap);
        va_end(ap);
        return strbuf_take(&path);
}

static char *branch_path(const struct gitea *gitea, const char *branch)
{
        struct strbuf name = STRBUF_INIT;
        rest_encode(&name, branch, "/");
        char *path = gitea_path(gitea, "/branches/%s", name.buf);
        strbuf_deinit(&name);
        return path;
}

/* ---- one object ---- */

static void on_object(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (!gitea_took(call, answer))
                return;
        call->read(call->out, answer->json);
        gitea_done(call);
}

/* Takes the path. */
static struct gitea_call *ask_object(struct gitea *gitea, char *path, gitea_read_fn *read,
                                     gitea_answer_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        call->read = read;
        call->path = path;
        gitea_ask(call, "GET", path, NULL, on_object);
        return call;
}

struct gitea_call *gitea_user(struct gitea *gitea, gitea_answer_fn *fn, void *arg)
{
        return ask_object(gitea, xstrdup("/user"), gitea_read_user, fn, arg);
}

struct gitea_call *gitea_repo(struct gitea *gitea, gitea_answer_fn *fn, void *arg)
{
        return ask_object(gitea, gitea_path(gitea, "%s", ""), gitea_read_repo, fn, arg);
}

struct gitea_call *gitea_branch(struct gitea *gitea, const char *branch, gitea_answer_fn *fn, void *arg)
{
        return ask_object(gitea, branch_path(gitea, branch), gitea_read_branch, fn, arg);
}

struct gitea_call *gitea_pull(struct gitea *gitea, int64_t number, gitea_answer_fn *fn, void *arg)
{
        return ask_object(gitea, gitea_path(gitea, "/pulls/%lld", (long long)number), gitea_read_pull, fn,
                          arg);
}

/* ---- lists ---- */

static void next_page(struct gitea_call *call);

static void on_page(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (!gitea_took(call, answer))
                return;
        const struct json *list = call->list != NULL ? json_get(answer->json, call->list) : answer->json;
        for (size_t i = 0; i < json_len(list); i++) {
                json_out_object(call->out);
                call->read(call->out, json_at(list, i));
                json_out_object_end(call->out);
        }
        if (json_len(list) == GITEA_PAGE_SIZE && call->page < GITEA_PAGES_MAX) {
                next_page(call);
                return;
        }
        json_out_array_end(call->out);
        gitea_done(call);
}

static void next_page(struct gitea_call *call)
{
        _cleanup_(freep) char *path =
                xasprintf("%s?limit=%d&page=%u", call->path, GITEA_PAGE_SIZE, ++call->page);
        gitea_ask(call, "GET", path, NULL, on_page);
}

/* Reads a whole list into the array `key` of the answer. Takes the path. */
static struct gitea_call *ask_list(struct gitea_call *call, char *path, const char *key, const char *list,
                                   gitea_read_fn *read)
{
        call->path = path;
        call->read = read;
        call->list = list;
        json_out_key(call->out, key);
        json_out_array(call->out);
        next_page(call);
        return call;
}

struct gitea_call *gitea_branches(struct gitea *gitea, gitea_answer_fn *fn, void *arg)
{
        return ask_list(gitea_call_new(gitea, fn, arg), gitea_path(gitea, "/branches"), "branches", NULL,
                        gitea_read_branch);
}

/* The combined state that comes with it is of one page only, and counts nothing as pending: not used. */
struct gitea_call *gitea_statuses(struct gitea *gitea, const char *sha, gitea_answer_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        struct strbuf name = STRBUF_INIT;
        rest_encode(&name, sha, "");
        char *path = gitea_path(gitea, "/commits/%s/status", name.buf);
        strbuf_deinit(&name);
        json_out_kstr(call->out, "sha", sha);
        return ask_list(call, path, "statuses", "statuses", gitea_read_status);
}

struct gitea_call *gitea_reviews(struct gitea *gitea, int64_t number, gitea_answer_fn *fn, void *arg)
{
        return ask_list(gitea_call_new(gitea, fn, arg),
                        gitea_path(gitea, "/pulls/%lld/reviews", (long long)number), "reviews", NULL,
                        gitea_read_review);
}

struct gitea_call *gitea_hooks(struct gitea *gitea, gitea_answer_fn *fn, void *arg)
{
        return ask_list(gitea_call_new(gitea, fn, arg), gitea_path(gitea, "/hooks"), "hooks", NULL,
                        gitea_read_hook);
}

/* ---- acts ---- */

static void on_deleted(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (answer->port.outcome == PORT_NOT_FOUND)
                call->rest = NULL; /* gone already */
        else if (!gitea_took(call, answer))
                return;
        gitea_done(call);
}

static struct gitea_call *delete (struct gitea *gitea, char *path, gitea_answer_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        call->path = path;
        gitea_ask(call, "DELETE", path, NULL, on_deleted);
        return call;
}

struct gitea_call *gitea_delete_branch(struct gitea *gitea, const char *branch, gitea_answer_fn *fn,
                                       void *arg)
{
        return delete (gitea, branch_path(gitea, branch), fn, arg);
}

struct gitea_call *gitea_delete_hook(struct gitea *gitea, int64_t hook, gitea_answer_fn *fn, void *arg)
{
        return delete (gitea, gitea_path(gitea, "/hooks/%lld", (long long)hook), fn, arg);
}

static void put_hook(struct json_out *body, const char *url, const char *secret)
{
        static const char *const events[] = {"push",         "create",      "delete",
                                             "pull_request", "status",      "pull_request_review",
                                             "workflow_run", "workflow_job"};
        json_out_object(body);
        json_out_kstr(body, "type", "gitea");
        json_out_kbool(body, "active", true); /* or it is not */
        json_out_key(body, "config");
        json_out_object(body);
        json_out_kstr(body, "url", url);
        json_out_kstr(body, "content_type", "json"); /* a form is signed otherwise */
        json_out_kstr(body, "secret", secret);
        json_out_object_end(body);
        json_out_key(body, "events");
        json_out_array(body);
        for (size_t i = 0; i < ARRAY_SIZE(events); i++)
                json_out_str(body, events[i]);
        json_out_array_end(body);
        json_out_object_end(body);
}

struct gitea_call *gitea_make_hook(struct gitea *gitea, const char *url, const char *secret,
                                   gitea_answer_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        struct json_out *body = json_out_new(false);
        put_hook(body, url, secret);
        call->read = gitea_read_hook;
        _cleanup_(freep) char *path = gitea_path(gitea, "/hooks");
        gitea_ask(call, "POST", path, body, on_object);
        return call;
}
