/*
 * forge_gitea.c - the forge that is a repository of a Gitea server.
 *
 * A merge goes through the pull request of the branch into the default branch: found, or opened when there is
 * none (or it was closed, or points elsewhere by now). Gitea takes the expected head and knows of no expected
 * base, so that is looked at right before; what landed is for the caller to look at (landing.h). Whatever a
 * merge answers but yes, everything is looked at once more before it is called by a name.
 */
#include <stdlib.h>
#include <string.h>

#include "common/forge.h"
#include "common/gitea.h"
#include "common/http_client.h"
#include "common/json_read.h"
#include "common/loop.h"
#include "common/mem.h"

#define CHECKED_MS      250 /* between looks at a pull request that Gitea still checks */
#define CHECKED_AGAIN_N 12

struct forge_gitea {
        struct forge forge; /* first */
        struct gitea *gitea;
        struct loop *loop;
};

struct forge_call {
        struct forge_gitea *forge;
        struct gitea_call *ask;   /* NULL: waits for the timer */
        struct loop_timer *timer; /* NULL, or until the next look */
        forge_answer_fn *fn;      /* of all but a merge */
        forge_merge_fn *merge_fn;
        void *arg;
        char *branch, *head, *base, *title; /* of a merge; `base` may be NULL */
        int64_t number;                     /* of the pull request */
        bool mergeable;
        unsigned looks; /* at a pull request that is not mergeable yet */
        bool tried;     /* to merge; then `said` is how that was answered */
        struct port_answer said;
};

static struct forge_gitea *of(struct forge *f)
{
        return (struct forge_gitea *)f;
}

static void free_call(struct forge_call *call)
{
        gitea_cancel(call->ask);
        loop_timer_free(call->timer);
        free(call->branch);
        free(call->head);
        free(call->base);
        free(call->title);
        free(call);
}

/* What was answered; NULL when it is no answer. */
static struct json_doc *parse(const char *json)
{
        struct json_doc *doc = NULL;
        if (json != NULL)
                (void)json_parse(json, strlen(json), NULL, &doc, NULL); /* ours: made by gitea.c */
        return doc;
}

static void copy_sha(const struct json *root, const char *key, char sha[static GIT_OID_SIZE])
{
        const char *text = json_str(json_get(root, key));
        (void)git_oid_read(text != NULL ? text : "", sha);
}

/* ---- branches, pull requests ---- */

static void on_answer(void *arg, const struct port_answer *answer, const char *json)
{
        struct forge_call *call = arg;
        struct forge_answer a = {.port = *answer};
        struct json_doc *doc = parse(json);
        call->ask = NULL;
        if (doc != NULL)
                copy_sha(json_root(doc), "sha", a.sha);
        json_doc_free(doc);
        call->fn(call->arg, &a);
        free_call(call);
}

static struct forge_call *new_call(struct forge *f, forge_answer_fn *fn, void *arg)
{
        struct forge_call *call = xcalloc(1, sizeof(*call));
        *call = (struct forge_call){.forge = of(f), .fn = fn, .arg = arg};
        return call;
}

static struct forge_call *gitea_branch_head(struct forge *f, const char *branch, forge_answer_fn *fn,
                                            void *arg)
{
        struct forge_call *call = new_call(f, fn, arg);
        call->ask = gitea_branch(of(f)->gitea, branch, on_answer, call);
        return call;
}

static struct forge_call *gitea_delete(struct forge *f, const char *branch, forge_answer_fn *fn, void *arg)
{
        struct forge_call *call = new_call(f, fn, arg);
        call->ask = gitea_delete_branch(of(f)->gitea, branch, on_answer, call);
        return call;
}

static struct forge_call *gitea_ensure_pull(struct forge *f, const struct forge_pull_spec *spec,
                                            forge_answer_fn *fn, void *arg)
{
        struct forge_call *call = new_call(f, fn, arg);
        call->ask = gitea_open_pull(of(f)->gitea, spec->branch, f->default_branch, spec->title, spec->text,
                                    on_answer, call);
        return call;
}

/* ---- merge ---- */

static void find(struct forge_call *call);

static void conclude(struct forge_call *call, enum forge_merge_outcome outcome,
                     const struct port_answer *port, const char *merged_sha, const char *base_sha)
{
        struct forge_merge_answer a = {.outcome = outcome, .port = *port};
        (void)git_oid_read(merged_sha, a.merged_sha);
        (void)git_oid_read(base_sha, a.base_sha);
        call->merge_fn(call->arg, &a);
        free_call(call);
}

static void conclude_as(struct forge_call *call, enum forge_merge_outcome outcome, enum port_outcome said,
                        const char *why)
{
        struct port_answer port = {.outcome = said, .retry_after_s = -1, .err = ERRINFO_INIT};
        err_set(&port.err, "", "%s", why);
        conclude(call, outcome, &port, "", "");
}

static void failed(struct forge_call *call, const struct port_answer *port)
{
        static const enum forge_merge_outcome map[] = {
                [PORT_OK] = FORGE_UNKNOWN,
                [PORT_NOT_FOUND] = FORGE_NOT_FOUND,
                [PORT_CONFLICT] = FORGE_CONFLICT,
                [PORT_REFUSED] = FORGE_REFUSED,
                [PORT_DENIED] = FORGE_UNAVAILABLE,
                [PORT_FORBIDDEN] = FORGE_UNAVAILABLE,
                [PORT_UNKNOWN] = FORGE_UNKNOWN,
                [PORT_LIMITED] = FORGE_UNAVAILABLE,
                [PORT_UNAVAILABLE] = FORGE_UNAVAILABLE,
        };
        /* what we only wanted to know is as unknown as what we wanted to do */
        const struct port_answer *why =
                call->tried && call->said.outcome == PORT_UNKNOWN ? &call->said : port;
        conclude(call, map[why->outcome], why, "", "");
}

/* Gitea has been asked to merge, did not, and all is as it was to be. */
static void not_merged(struct forge_call *call)
{
        struct port_answer port = call->said;
        if (port.outcome == PORT_UNAVAILABLE ||
            port.outcome == PORT_NOT_FOUND) { /* it checks, or was closed */
                port.outcome = PORT_CONFLICT;
                conclude(call, FORGE_UNAVAILABLE, &port, "", "");
        } else {
                failed(call, &port);
        }
}

static void on_merged(void *arg, const struct port_answer *answer, const char *json)
{
        struct forge_call *call = arg;
        struct json_doc *doc = parse(json);
        call->ask = NULL;
        call->tried = true;
        call->said = *answer;
        if (doc != NULL) {
                const char *sha = json_str(json_get(json_root(doc), "merge_sha"));
                conclude(call, FORGE_MERGED, answer, sha != NULL ? sha : "", "");
        } else if (answer->outcome == PORT_UNKNOWN || answer->outcome == PORT_DENIED ||
                   answer->outcome == PORT_FORBIDDEN || answer->outcome == PORT_LIMITED) {
                failed(call, answer);
        } else {
                find(call);
        }
        json_doc_free(doc);
}

static void merge(struct forge_call *call)
{
        call->ask = gitea_merge(call->forge->gitea, call->number, call->head, call->title, on_merged, call);
}

static void on_again(void *arg)
{
        find(arg);
}

static void wait_until_checked(struct forge_call *call)
{
        if (++call->looks > CHECKED_AGAIN_N) {
                conclude_as(call, FORGE_UNAVAILABLE, PORT_CONFLICT,
                            "the pull request cannot be merged: it is still being checked, or something is "
                            "against it that Gitea does not tell");
                return;
        }
        if (call->timer == NULL)
                call->timer = loop_timer_new(call->forge->loop, on_again, call);
        loop_timer_arm(call->timer, CHECKED_MS);
}

static void on_base(void *arg, const struct port_answer *answer, const char *json)
{
        struct forge_call *call = arg;
        struct json_doc *doc = parse(json);
        char sha[GIT_OID_SIZE] = "";
        call->ask = NULL;
        if (doc != NULL)
                copy_sha(json_root(doc), "sha", sha);
        json_doc_free(doc);
        if (sha[0] == '\0') {
                failed(call, answer);
        } else if (call->base != NULL && strcmp(sha, call->base) != 0) {
                struct port_answer port = {
                        .outcome = PORT_CONFLICT, .retry_after_s = -1, .err = ERRINFO_INIT};
                err_set(&port.err, "", "the default branch is not where the head was tested");
                conclude(call, FORGE_BASE_MOVED, &port, "", sha);
        } else if (call->tried) {
                not_merged(call);
        } else if (!call->mergeable) {
                wait_until_checked(call);
        } else {
                merge(call);
        }
}

/* One that is open, and into the default branch: gitea_find_pull() and gitea_open_pull() answer no other. */
static void take_pull(struct forge_call *call, const struct json *pull)
{
        const char *head = json_str(json_get(pull, "head"));
        call->mergeable = true;
        (void)json_bool(json_get(pull, "mergeable"), &call->mergeable);
        if (!json_int(json_get(pull, "number"), &call->number) || head == NULL)
                conclude_as(call, FORGE_UNAVAILABLE, PORT_UNAVAILABLE, "the pull request makes no sense");
        else if (strcmp(head, call->head) != 0)
                conclude_as(call, FORGE_MOVED, PORT_CONFLICT, "the branch is not at the expected head");
        else
                call->ask =
                        gitea_branch(call->forge->gitea, call->forge->forge.default_branch, on_base, call);
}

static void on_opened(void *arg, const struct port_answer *answer, const char *json)
{
        struct forge_call *call = arg;
        struct json_doc *doc = parse(json);
        call->ask = NULL;
        if (doc != NULL)
                take_pull(call, json_root(doc));
        else
                failed(call, answer);
        json_doc_free(doc);
}

static void open_pull(struct forge_call *call)
{
        call->ask = gitea_open_pull(call->forge->gitea, call->branch, call->forge->forge.default_branch,
                                    call->title, "", on_opened, call);
}

/* Merged, but at another head: that was an earlier round of the branch. */
static void found(struct forge_call *call, const struct json *pull)
{
        static const struct port_answer ok = {.outcome = PORT_OK, .retry_after_s = -1, .err = ERRINFO_INIT};
        bool merged = false;
        const char *head = json_str(json_get(pull, "head")), *sha = json_str(json_get(pull, "merge_sha"));
        (void)json_bool(json_get(pull, "merged"), &merged);
        if (!merged)
                take_pull(call, pull);
        else if (head == NULL || strcmp(head, call->head) != 0)
                open_pull(call);
        else
                conclude(call, call->tried ? FORGE_MERGED : FORGE_ALREADY_MERGED, &ok, sha != NULL ? sha : "",
                         "");
}

static void on_found(void *arg, const struct port_answer *answer, const char *json)
{
        struct forge_call *call = arg;
        struct json_doc *doc = parse(json);
        call->ask = NULL;
        if (doc != NULL)
                found(call, json_root(doc));
        else if (answer->outcome == PORT_NOT_FOUND)
                open_pull(call);
        else
                failed(call, answer);
        json_doc_free(doc);
}

static void find(struct forge_call *call)
{
        call->ask = gitea_find_pull(call->forge->gitea, call->branch, call->forge->forge.default_branch,
                                    on_found, call);
}

static struct forge_call *gitea_merge_branch(struct forge *f, const struct forge_merge_spec *spec,
                                             forge_merge_fn *fn, void *arg)
{
        struct forge_call *call = new_call(f, NULL, arg);
        call->merge_fn = fn;
        call->branch = xstrdup(spec->branch);
        call->head = xstrdup(spec->expected_head);
        call->base = spec->expected_base != NULL ? xstrdup(spec->expected_base) : NULL;
        call->title = xstrdup(spec->message);
        find(call);
        return call;
}

/* ---- the whole ---- */

static void free_forge(struct forge *f)
{
        gitea_free(of(f)->gitea);
        free(f);
}

static const struct forge_ops gitea_ops = {
        .name = "gitea",
        .branch_head = gitea_branch_head,
        .delete_branch = gitea_delete,
        .ensure_pull = gitea_ensure_pull,
        .merge = gitea_merge_branch,
        .cancel = free_call,
        .free = free_forge,
};

struct forge *forge_gitea_new(const struct forge_config *cfg)
{
        struct forge_gitea *f = xcalloc(1, sizeof(*f));
        const struct gitea_config gitea = {
                .http = cfg->http, .url = cfg->url, .token_file = cfg->token_file, .repo = cfg->repo};
        *f = (struct forge_gitea){
                .forge = {.ops = &gitea_ops, .default_branch = xstrdup(cfg->default_branch)},
                .gitea = gitea_new(&gitea),
                .loop = http_client_loop(cfg->http),
        };
        return &f->forge;
}
