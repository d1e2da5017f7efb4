/*
 * errand_report.c - 16-post-deploy.md on the task's branch (M-5). What is there already is not written again,
 * so whoever comes after one that has died between its push and its record finds nothing to do.
 */
#include <string.h>

#include "common/err.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "workerd/commit.h"
#include "workerd/doc_file.h"
#include "workerd/errand.h"
#include "workerd/job.h"
#include "workerd/tree.h"

#define REPORT "16-post-deploy.md"

static void on_removed(void *arg, int r, const struct errinfo *why)
{
        struct errand *e = arg;
        struct json_out *j = json_out_new(false);
        (void)r; /* what is left is removed before the next report */
        (void)why;
        e->tree_remove = NULL;
        json_out_object(j);
        json_out_kbool(j, "done", true);
        json_out_kstr(j, "head_sha", e->made_sha);
        errand_done(e, j);
}

static void written(struct errand *e)
{
        e->tree_remove = tree_remove(e->host->loop, e->dir.path, on_removed, e);
}

static void on_pushed(void *arg, const struct git_push_result *res)
{
        struct errand *e = arg;
        bool away = res->outcome == GIT_PUSH_UNAVAILABLE || res->outcome == GIT_PUSH_UNKNOWN;
        e->push_op = NULL;
        errand_forge_said(e, !away, res->said);
        if (res->outcome == GIT_PUSH_OK)
                written(e);
        else
                errand_failed(e, "the report could not be pushed",
                              res->outcome == GIT_PUSH_MOVED ? "the branch has moved" : res->err.text);
}

static void on_committed(void *arg, const struct commit_result *res)
{
        struct errand *e = arg;
        e->commit_op = NULL;
        if (res->outcome != COMMIT_OK) {
                errand_failed(e, "the report cannot be committed", res->err.text);
        } else if (!res->changed) {
                memcpy(e->made_sha, e->start_sha, sizeof(e->made_sha));
                written(e);
        } else {
                memcpy(e->made_sha, res->sha, sizeof(e->made_sha));
                e->push_op = commit_push(e->host->git, &e->info, e->mirror, e->made_sha, on_pushed, e);
        }
}

static void on_tree(struct errand *e)
{
        struct errinfo err = ERRINFO_INIT;
        _cleanup_(freep) char *path = xasprintf("%s/" REPORT, e->docs_dir);
        if (doc_file_write(e->dir.tree, path, e->body, &err) < 0)
                errand_failed(e, "the report cannot be written", err.text);
        else
                e->commit_op = commit_make(e->host->git, &e->info, &e->dir, e->mirror, on_committed, e);
}

static void start(struct errand *e)
{
        errand_tree(e, "report", NULL, on_tree);
}

const struct errand_kind errand_report = {.what = "report", .start = start, .may_be_left = true};
