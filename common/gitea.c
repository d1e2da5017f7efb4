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

static void free_call(void *arg)
{
        struct gitea_call *call = arg;
        char *strings[] = {call->path, call->branch, call->base, call->body, call->head, call->marker};
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        free(call);
}

void gitea_cancel(struct gitea_call *call)
{
        rest_talk_cancel(call != NULL ? &call->talk : NULL);
}

struct gitea_call *gitea_call_new(struct gitea *gitea, port_json_fn *fn, void *arg)
{
        struct gitea_call *call = xcalloc(1, sizeof(*call));
        call->gitea = gitea;
        rest_talk_init(&call->talk, gitea->rest, free_call, fn, arg);
        return call;
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
        if (!rest_talk_took(&call->talk, answer))
                return;
        call->read(call->talk.out, answer->json);
        rest_talk_done(&call->talk);
}

/* Takes the path. */
static struct gitea_call *ask_object(struct gitea *gitea, char *path, gitea_read_fn *read, port_json_fn *fn,
                                     void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        call->read = read;
        call->path = path;
        rest_talk_ask(&call->talk, "GET", path, NULL, on_object);
        return call;
}

struct gitea_call *gitea_user(struct gitea *gitea, port_json_fn *fn, void *arg)
{
        return ask_object(gitea, xstrdup("/user"), gitea_read_user, fn, arg);
}

struct gitea_call *gitea_repo(struct gitea *gitea, port_json_fn *fn, void *arg)
{
        return ask_object(gitea, gitea_path(gitea, "%s", ""), gitea_read_repo, fn, arg);
}

struct gitea_call *gitea_branch(struct gitea *gitea, const char *branch, port_json_fn *fn, void *arg)
{
        return ask_object(gitea, branch_path(gitea, branch), gitea_read_branch, fn, arg);
}

struct gitea_call *gitea_pull(struct gitea *gitea, int64_t number, port_json_fn *fn, void *arg)
{
        return ask_object(gitea, gitea_path(gitea, "/pulls/%lld", (long long)number), gitea_read_pull, fn,
                          arg);
}

/* ---- lists ---- */

static void next_page(struct gitea_call *call);

static void on_page(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        const struct json *list = call->list != NULL ? json_get(answer->json, call->list) : answer->json;
        for (size_t i = 0; i < json_len(list); i++) {
                json_out_object(call->talk.out);
                call->read(call->talk.out, json_at(list, i));
                json_out_object_end(call->talk.out);
        }
        if (json_len(list) == GITEA_PAGE_SIZE && call->page < GITEA_PAGES_MAX) {
                next_page(call);
                return;
        }
        json_out_array_end(call->talk.out);
        rest_talk_done(&call->talk);
}

static void next_page(struct gitea_call *call)
{
        _cleanup_(freep) char *path =
                xasprintf("%s?limit=%d&page=%u", call->path, GITEA_PAGE_SIZE, ++call->page);
        rest_talk_ask(&call->talk, "GET", path, NULL, on_page);
}

/* Reads a whole list into the array `key` of the answer. Takes the path. */
static struct gitea_call *ask_list(struct gitea_call *call, char *path, const char *key, const char *list,
                                   gitea_read_fn *read)
{
        call->path = path;
        call->read = read;
        call->list = list;
        json_out_key(call->talk.out, key);
        json_out_array(call->talk.out);
        next_page(call);
        return call;
}

struct gitea_call *gitea_branches(struct gitea *gitea, port_json_fn *fn, void *arg)
{
        return ask_list(gitea_call_new(gitea, fn, arg), gitea_path(gitea, "/branches"), "branches", NULL,
                        gitea_read_branch);
}

/* The combined state that comes with it is of one page only, and counts nothing as pending: not used. */
struct gitea_call *gitea_statuses(struct gitea *gitea, const char *sha, port_json_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        struct strbuf name = STRBUF_INIT;
        rest_encode(&name, sha, "");
        char *path = gitea_path(gitea, "/commits/%s/status", name.buf);
        strbuf_deinit(&name);
        json_out_kstr(call->talk.out, "sha", sha);
        return ask_list(call, path, "statuses", "statuses", gitea_read_status);
}

struct gitea_call *gitea_reviews(struct gitea *gitea, int64_t number, port_json_fn *fn, void *arg)
{
        return ask_list(gitea_call_new(gitea, fn, arg),
                        gitea_path(gitea, "/pulls/%lld/reviews", (long long)number), "reviews", NULL,
                        gitea_read_review);
}

struct gitea_call *gitea_hooks(struct gitea *gitea, port_json_fn *fn, void *arg)
{
        return ask_list(gitea_call_new(gitea, fn, arg), gitea_path(gitea, "/hooks"), "hooks", NULL,
                        gitea_read_hook);
}

/* ---- acts ---- */

static void on_deleted(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (answer->port.outcome == PORT_NOT_FOUND)
                rest_talk_heard(&call->talk); /* gone already */
        else if (!rest_talk_took(&call->talk, answer))
                return;
        rest_talk_done(&call->talk);
}

static struct gitea_call *delete (struct gitea *gitea, char *path, port_json_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        call->path = path;
        rest_talk_ask(&call->talk, "DELETE", path, NULL, on_deleted);
        return call;
}

struct gitea_call *gitea_delete_branch(struct gitea *gitea, const char *branch, port_json_fn *fn, void *arg)
{
        return delete (gitea, branch_path(gitea, branch), fn, arg);
}

struct gitea_call *gitea_delete_hook(struct gitea *gitea, int64_t hook, port_json_fn *fn, void *arg)
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

struct gitea_call *gitea_make_hook(struct gitea *gitea, const char *url, const char *secret, port_json_fn *fn,
                                   void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        struct json_out *body = json_out_new(false);
        put_hook(body, url, secret);
        call->read = gitea_read_hook;
        _cleanup_(freep) char *path = gitea_path(gitea, "/hooks");
        rest_talk_ask(&call->talk, "POST", path, body, on_object);
        return call;
}
