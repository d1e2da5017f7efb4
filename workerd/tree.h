/*
 * tree.h - the agent's own clone for one run: prepared before, removed after.
 *
 * tree/ is an independent repository that shares objects with our mirror and cannot push to it. Once the
 * agent has run, nothing of ours opens tree/.git again.
 */
#pragma once

#include <stdbool.h>

#include "common/git.h"
#include "common/run_dir.h"
#include "common/tree_remove.h"
#include "workerd/run_info.h"

struct tree_op;

enum tree_outcome {
        TREE_OK = 0,
        TREE_MOVED, /* the remote's branch is not where we left it: somebody else pushed (head_sha says where)
                     */
        TREE_FAILED, /* a git command or the disk failed; the mirror is marked suspect if it may be the cause
                      */
};

struct tree_result {
        enum tree_outcome outcome;
        char start_sha[GIT_OID_SIZE]; /* what was checked out */
        char base_sha[GIT_OID_SIZE];  /* merge base with the default branch; = start_sha for a fresh cut */
        char head_sha[GIT_OID_SIZE];  /* the remote's branch as mirrored; "" when there is none */
        struct errinfo err;
};

typedef void tree_fn(void *arg, const struct tree_result *res);

/* Clones into rd->tree (the run folder exists, see run_dir_create()) and checks out info->head_sha, or, when
 * that is NULL, the default branch as the mirror has it: update the mirror first, and the cut is of the
 * newest (P-8). Files whose owner is this role's verdict are taken out, so that one that is there afterwards
 * was written by this run. */
struct tree_op *tree_prepare(struct git *git, const struct run_info *info, const struct run_dir *rd,
                             const char *mirror, tree_fn *fn, void *arg);
/* The same at `sha` on a detached head, for the project's own command: nothing is taken out. */
struct tree_op *tree_checkout(struct git *git, const struct run_info *info, const struct run_dir *rd,
                              const char *mirror, const char *sha, tree_fn *fn, void *arg);
void tree_cancel(struct tree_op *op);
