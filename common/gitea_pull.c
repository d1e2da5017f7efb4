/*
 * gitea_pull.c - pull requests: found, opened, merged, commented on.
 *
 * A list cannot be asked for one head, so that the pages are looked through, the last changed first. A merge
 * is never believed or doubted by its answer alone: "not now" is also said of a conflict, "not allowed" also
 * of what is merged already, and an answer may be lost; so the pull request is looked at after each of them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/gitea_call.h"
#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define FIND_PAGES_MAX 4 /* of pull requests that were changed later than ours */

/* ---- find ---- */

static void next_pulls(struct gitea_call *call, const char *state, rest_answer_fn *fn)
{
        _cleanup_(freep) char *path =
                gitea_path(call->gitea, "/pulls?state=%s&sort=recentupdate&limit=%d&page=%u", state,
                           GITEA_PAGE_SIZE, ++call->page);
        rest_talk_ask(&call->talk, "GET", path, NULL, fn);
}

static bool is_merged(const struct json *pull)
{
        bool merged = false;
        return json_bool(json_get(pull, "merged"), &merged) && merged;
}

static const struct json *ours(const struct gitea_call *call, const struct json *list, bool merged)
{
        for (size_t i = 0; i < json_len(list); i++) {
                const struct json *pull = json_at(list, i);
                if (gitea_is_pull_of(pull, call->branch, call->base) && is_merged(pull) == merged)
                        return pull;
        }
        return NULL;
}

static void found(struct gitea_call *call, const struct json *pull)
{
        gitea_read_pull(call->talk.out, pull);
        rest_talk_done(&call->talk);
}

static void on_closed(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        const struct json *pull = ours(call, answer->json, true);
        if (pull != NULL)
                found(call, pull);
        else if (json_len(answer->json) == GITEA_PAGE_SIZE && call->page < FIND_PAGES_MAX)
                next_pulls(call, "closed", on_closed);
        else
                rest_talk_fail(&call->talk, PORT_NOT_FOUND, "the branch has no pull request");
}

static void on_open(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        const struct json *pull = ours(call, answer->json, false);
        if (pull != NULL) {
                found(call, pull);
        } else if (json_len(answer->json) == GITEA_PAGE_SIZE && call->page < GITEA_PAGES_MAX) {
                next_pulls(call, "open", on_open);
        } else {
                call->page = 0;
                next_pulls(call, "closed", on_closed);
        }
}

static struct gitea_call *pull_call(struct gitea *gitea, const char *branch, const char *base,
                                    port_json_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        call->branch = xstrdup(branch);
        call->base = xstrdup(base);
        return call;
}

struct gitea_call *gitea_find_pull(struct gitea *gitea, const char *branch, const char *base,
                                   port_json_fn *fn, void *arg)
{
        struct gitea_call *call = pull_call(gitea, branch, base, fn, arg);
        next_pulls(call, "open", on_open);
        return call;
}

/* ---- open ---- */

static void on_opened(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (answer->status == 409) { /* there is one */
                rest_talk_heard(&call->talk);
                next_pulls(call, "open", on_open);
                return;
        }
        if (rest_talk_took(&call->talk, answer))
                found(call, answer->json);
}

struct gitea_call *gitea_open_pull(struct gitea *gitea, const char *branch, const char *base,
                                   const char *title, const char *body, port_json_fn *fn, void *arg)
{
        struct gitea_call *call = pull_call(gitea, branch, base, fn, arg);
        struct json_out *out = json_out_new(false);
        json_out_object(out);
        json_out_kstr(out, "head", branch);
        json_out_kstr(out, "base", base);
        json_out_kstr(out, "title", title);
        json_out_kstr(out, "body", body);
        json_out_object_end(out);
        _cleanup_(freep) char *path = gitea_path(gitea, "/pulls");
        rest_talk_ask(&call->talk, "POST", path, out, on_opened);
        return call;
}

/* ---- merge ---- */

/* It is not merged: then what was said counts. */
static void not_merged(struct gitea_call *call, const struct json *pull)
{
        struct port_answer port = call->said;
        const char *head = json_str(json_path(pull, "head.sha"));
        bool mergeable = true;
        if (head != NULL && strcmp(head, call->head) != 0) {
                rest_talk_fail(&call->talk, PORT_CONFLICT, "the branch is not at the expected head");
                return;
        }
        if (port.outcome == PORT_OK || port.outcome == PORT_UNKNOWN) /* said yes, or nothing, and did not */
                port.outcome = PORT_UNAVAILABLE;
        if (port.outcome == PORT_REFUSED && json_bool(json_get(pull, "mergeable"), &mergeable) && !mergeable)
                port.outcome = PORT_UNAVAILABLE; /* still checking, or a conflict: git knows */
        rest_talk_end(&call->talk, &port);
}

static void on_looked(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        rest_talk_heard(&call->talk);
        if (answer->port.outcome != PORT_OK) {
                struct port_answer port = answer->port;
                if (call->said.outcome == PORT_OK || call->said.outcome == PORT_UNKNOWN)
                        port.outcome = PORT_UNKNOWN;
                rest_talk_end(&call->talk, &port);
        } else if (is_merged(answer->json)) {
                found(call, answer->json);
        } else {
                not_merged(call, answer->json);
        }
}

static void on_merged(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        rest_talk_heard(&call->talk);
        call->said = answer->port;
        if (answer->status == 409 && json_get(answer->json, "Style") == NULL)
                call->said.outcome = PORT_UNAVAILABLE; /* the base has moved, or it is scheduled */
        if (answer->status == 405 && strstr(call->said.err.text, "try again later") != NULL)
                call->said.outcome = PORT_UNAVAILABLE; /* it is being checked */
        _cleanup_(freep) char *path = gitea_path(call->gitea, "/pulls/%" PRId64, call->number);
        rest_talk_ask(&call->talk, "GET", path, NULL, on_looked);
}

struct gitea_call *gitea_merge(struct gitea *gitea, int64_t number, const char *head, const char *title,
                               port_json_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        struct json_out *body = json_out_new(false);
        call->number = number;
        call->head = xstrdup(head);
        json_out_object(body);
        json_out_kstr(body, "Do", "merge");
        json_out_kstr(body, "head_commit_id", head);
        json_out_kstr(body, "MergeTitleField", title);
        json_out_kbool(body, "delete_branch_after_merge", false); /* or the repository's own choice counts */
        json_out_kbool(body, "force_merge", false);
        json_out_object_end(body);
        _cleanup_(freep) char *path = gitea_path(gitea, "/pulls/%" PRId64 "/merge", number);
        rest_talk_ask(&call->talk, "POST", path, body, on_merged);
        return call;
}

/* ---- comments ---- */

static void on_commented(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (rest_talk_took(&call->talk, answer))
                rest_talk_done(&call->talk);
}

static void say(struct gitea_call *call)
{
        struct json_out *body = json_out_new(false);
        _cleanup_(freep) char *text = xasprintf("%s\n\n%s", call->body, call->marker);
        json_out_object(body);
        json_out_kstr(body, "body", text);
        json_out_object_end(body);
        rest_talk_ask(&call->talk, "POST", call->path, body, on_commented);
}

/* All of them come at once: Gitea does not cut this list to pages. */
static void on_comments(void *arg, const struct rest_answer *answer)
{
        struct gitea_call *call = arg;
        if (!rest_talk_took(&call->talk, answer))
                return;
        for (size_t i = 0; i < json_len(answer->json); i++) {
                const char *body = json_str(json_get(json_at(answer->json, i), "body"));
                if (body != NULL && strstr(body, call->marker) != NULL) {
                        rest_talk_done(&call->talk);
                        return;
                }
        }
        say(call);
}

struct gitea_call *gitea_comment(struct gitea *gitea, int64_t number, const char *marker, const char *text,
                                 port_json_fn *fn, void *arg)
{
        struct gitea_call *call = gitea_call_new(gitea, fn, arg);
        call->marker = xasprintf("<!-- orchestrator:%s -->", marker);
        call->body = xstrdup(text);
        call->path = gitea_path(gitea, "/issues/%" PRId64 "/comments", number);
        rest_talk_ask(&call->talk, "GET", call->path, NULL, on_comments);
        return call;
}
