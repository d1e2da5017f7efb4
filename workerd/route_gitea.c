/*
 * route_gitea.c - Gitea deliveries, of all versions that have webhooks.
 *
 * Events about one branch share a key, so that "pushed" and "deleted" stay in order. A commit status knows no
 * branch: its object is the commit, and the handler finds the branch (I-4). Fields come and go between
 * versions: nothing is required but the repository and the object's own name.
 */
#include "workerd/route.h"

#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"

static const char SOURCE[] = "gitea";

static const char *str_at(const struct json *body, const char *path)
{
        const char *s = json_str(json_path(body, path));
        return s != NULL && s[0] != '\0' ? s : NULL;
}

static int lacks(struct errinfo *err, const char *what)
{
        err_set(err, "", "the body has no %s", what);
        return ROUTE_MALFORMED;
}

static int on_push(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        static const char heads[] = "refs/heads/";
        const char *ref = str_at(body, "ref");
        if (ref == NULL)
                return lacks(err, "ref");
        if (strncmp(ref, heads, strlen(heads)) != 0)
                return route_ignored(ret, SOURCE, repo); /* a tag */
        struct json_out *facts = route_facts_new();
        route_fact(facts, "sha", str_at(body, "after"));
        route_fact(facts, "before", str_at(body, "before"));
        return route_set(ret, SOURCE, "forge.push", repo, ref + strlen(heads), facts, err);
}

/* create and delete name the ref in its short form; delete has no commit. */
static int on_ref(const char *kind, const char *repo, const struct json *body, struct route *ret,
                  struct errinfo *err)
{
        const char *ref = str_at(body, "ref");
        const char *type = str_at(body, "ref_type");
        if (ref == NULL || type == NULL)
                return lacks(err, ref == NULL ? "ref" : "ref_type");
        if (strcmp(type, "branch") != 0)
                return route_ignored(ret, SOURCE, repo);
        struct json_out *facts = route_facts_new();
        route_fact(facts, "sha", str_at(body, "sha"));
        return route_set(ret, SOURCE, kind, repo, ref, facts, err);
}

static int on_create(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        return on_ref("forge.branch_created", repo, body, ret, err);
}

static int on_delete(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        return on_ref("forge.branch_deleted", repo, body, ret, err);
}

/* head.ref turns into refs/pull/N/head once the branch is gone; head.label stays. Neither: an AGit-flow
 * request. */
static char *pull_object(const struct json *body, int64_t number)
{
        const char *branch = str_at(body, "pull_request.head.label");
        return branch != NULL ? xstrdup(branch) : xasprintf("pull/%lld", (long long)number);
}

static struct json_out *pull_facts(const struct json *body)
{
        const struct json *pull = json_get(body, "pull_request");
        struct json_out *facts = route_facts_new();
        route_fact(facts, "action", str_at(body, "action"));
        route_fact_int(facts, "number", json_get(body, "number"));
        route_fact(facts, "sha", str_at(pull, "head.sha"));
        route_fact(facts, "base", str_at(pull, "base.ref"));
        route_fact_bool(facts, "merged", json_get(pull, "merged"));
        route_fact(facts, "merge_sha", str_at(pull, "merge_commit_sha"));
        return facts;
}

/* Takes the facts. */
static int pull(const char *kind, const char *repo, const struct json *body, struct json_out *facts,
                struct route *ret, struct errinfo *err)
{
        int64_t number = 0;
        if (!json_int(json_get(body, "number"), &number) &&
            !json_int(json_path(body, "pull_request.number"), &number)) {
                json_out_free(facts);
                return lacks(err, "number");
        }
        _cleanup_(freep) char *object = pull_object(body, number);
        return route_set(ret, SOURCE, kind, repo, object, facts, err);
}

static int on_pull_request(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        return pull("forge.pull", repo, body, pull_facts(body), ret, err);
}

static int on_comment(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        int64_t number = 0;
        if (!json_int(json_path(body, "issue.number"), &number))
                return lacks(err, "issue.number");
        struct json_out *facts = route_facts_new();
        route_fact(facts, "action", str_at(body, "action"));
        route_fact_int(facts, "comment", json_path(body, "comment.id"));
        route_fact(facts, "author", str_at(body, "comment.user.login"));
        _cleanup_(freep) char *object = xasprintf("pull/%lld", (long long)number);
        return route_set(ret, SOURCE, "forge.comment", repo, object, facts, err);
}

static int on_review(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        /* As an event type, pull_request_comment is the conversation; as an event, a review: the body knows.
         */
        if (json_get(body, "issue") != NULL && json_get(body, "review") == NULL)
                return on_comment(repo, body, ret, err);
        struct json_out *facts = pull_facts(body);
        route_fact(facts, "review", str_at(body, "review.type"));
        return pull("forge.review", repo, body, facts, ret, err);
}

static int on_status(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        const char *sha = str_at(body, "sha");
        if (sha == NULL)
                return lacks(err, "sha");
        struct json_out *facts = route_facts_new();
        route_fact(facts, "sha", sha);
        route_fact(facts, "state", str_at(body, "state"));
        route_fact(facts, "context", str_at(body, "context"));
        return route_set(ret, SOURCE, "forge.status", repo, sha, facts, err);
}

static int on_workflow(const char *part, const char *repo, const struct json *body, struct route *ret,
                       struct errinfo *err)
{
        const struct json *run = json_get(body, part);
        const char *sha = str_at(run, "head_sha");
        if (sha == NULL)
                return lacks(err, "head_sha");
        struct json_out *facts = route_facts_new();
        route_fact(facts, "action", str_at(body, "action"));
        route_fact(facts, "sha", sha);
        route_fact(facts, "branch", str_at(run, "head_branch")); /* absent for runs of pull requests */
        route_fact(facts, "state", str_at(run, "conclusion"));
        return route_set(ret, SOURCE, "forge.status", repo, sha, facts, err);
}

static int on_workflow_run(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        return on_workflow("workflow_run", repo, body, ret, err);
}

static int on_workflow_job(const char *repo, const struct json *body, struct route *ret, struct errinfo *err)
{
        return on_workflow("workflow_job", repo, body, ret, err);
}

typedef int gitea_fn(const char *repo, const struct json *body, struct route *ret, struct errinfo *err);

/* By X-Gitea-Event-Type, the finer name, else by X-Gitea-Event. */
static const struct {
        const char *name;
        gitea_fn *fn;
} kinds[] = {
        {"push", on_push},
        {"create", on_create},
        {"delete", on_delete},
        {"pull_request", on_pull_request},
        {"pull_request_sync", on_pull_request},
        {"pull_request_label", on_pull_request},
        {"pull_request_assign", on_pull_request},
        {"pull_request_milestone", on_pull_request},
        {"pull_request_review_request", on_pull_request},
        {"pull_request_review_approved", on_review},
        {"pull_request_review_rejected", on_review},
        {"pull_request_review_comment", on_review},
        {"pull_request_approved", on_review},
        {"pull_request_rejected", on_review},
        {"pull_request_comment", on_review},
        {"issue_comment", on_comment},
        {"status", on_status},
        {"workflow_run", on_workflow_run},
        {"workflow_job", on_workflow_job},
};

static gitea_fn *find_kind(const char *name)
{
        for (size_t i = 0; name != NULL && i < ARRAY_SIZE(kinds); i++)
                if (strcmp(kinds[i].name, name) == 0)
                        return kinds[i].fn;
        return NULL;
}

int route_gitea(const struct json *headers, const struct json *body, struct route *ret, struct errinfo *err)
{
        const char *repo = str_at(body, "repository.full_name");
        gitea_fn *fn = find_kind(route_header(headers, "x-gitea-event-type"));
        if (fn == NULL)
                fn = find_kind(route_header(headers, "x-gitea-event"));
        if (fn == NULL)
                return route_ignored(ret, SOURCE, repo);
        if (repo == NULL)
                return lacks(err, "repository.full_name");
        return fn(repo, body, ret, err);
}
