/*
 * rebase.h - the task's branch on top of the default branch, without a working tree (M-1).
 *
 * Everything happens in our mirror (update it first): commits are replayed one by one with merge-tree and
 * commit-tree, so no file of the branch is ever checked out, and nothing in it (attributes, hooks, filters)
 * can run. Each new commit keeps message, author and both dates; so the same branch on the same base has the
 * same name wherever it is rebased, and a push that is repeated finds itself done. Old and new head are kept
 * in the mirror (refs/orch/replaced/JOB-EPOCH, refs/orch/runs/JOB-EPOCH). Pushing is a step of its own.
 */
#pragma once

#include <stdbool.h>

#include "common/git.h"
#include "workerd/run_info.h"

struct rebase_op;

enum rebase_outcome {
        REBASE_OK = 0,   /* `sha` is to be the head; `changed` when it is not the head already */
        REBASE_MERGED,   /* the head is in the default branch already: nothing is left to do */
        REBASE_CONFLICT, /* err names the commit and the files */
        REBASE_MOVED,    /* the branch is not where we left it, or gone: head_sha says where it is */
        REBASE_REFUSED,  /* it cannot be rebased, and trying again does not help: err says why */
        REBASE_FAILED,   /* git failed: try again */
};

struct rebase_result {
        enum rebase_outcome outcome;
        char head_sha[GIT_OID_SIZE]; /* the remote's branch as mirrored; "" when there is none */
        char base_sha[GIT_OID_SIZE]; /* tip of the default branch as mirrored */
        char sha[GIT_OID_SIZE];
        bool changed;
        struct errinfo err;
};

typedef void rebase_fn(void *arg, const struct rebase_result *res);

struct rebase_spec {
        const char *mirror;
        const char *pushing; /* heads that an earlier life of the job may have pushed: "{sha,sha}"; or NULL */
        bool always;         /* false: a branch that is not behind is left as it is, merge commits and all */
};

/* Rebases info->branch, which is to be at info->head_sha or at one of `pushing`, on info->default_branch. */
struct rebase_op *rebase_start(struct git *git, const struct run_info *info, const struct rebase_spec *spec,
                               rebase_fn *fn, void *arg);
void rebase_cancel(struct rebase_op *op); /* NULL is fine */
