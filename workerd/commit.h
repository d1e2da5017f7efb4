/*
 * commit.h - makes the commit of what an agent left in its tree.
 *
 * Our git directory (the mirror), our index, the agent's files: tree/.git is never opened. A folder that
 * holds a repository of its own is left as it is in the parent commit, with a note. Changes to files that
 * belong to another role (roles.def) are taken out again and listed as refused (P-4, provenance). The commit
 * gets the role as author and the trailers Orch-Job, Orch-Epoch and Orch-Role. It is kept in the mirror as
 * refs/orch/runs/JOB-EPOCH, so that neither a crash nor a failed run loses what was left; pushing it is a
 * step of its own.
 */
#pragma once

#include <stdbool.h>

#include "common/git.h"
#include "common/run_dir.h"
#include "workerd/run_info.h"

struct commit_op;

enum commit_outcome {
        COMMIT_OK = 0,
        COMMIT_NOTHING, /* commit_find(): no such commit. commit_make() never says this: see `changed` */
        COMMIT_FAILED,  /* what was left cannot be committed, or git failed; err says why */
};

struct commit_result {
        enum commit_outcome outcome;
        char sha[GIT_OID_SIZE];
        char parent[GIT_OID_SIZE];
        char tree[GIT_OID_SIZE];
        char code_tree[GIT_OID_SIZE]; /* `tree` without the task's docs folder: evidence is stale when it
                                         differs */
        char base_sha[GIT_OID_SIZE];  /* where the branch began; "" when it has no beginning in common */
        char patch_id[GIT_OID_SIZE]; /* the change from there, without the docs folder; "": none, or too large
                                      */
        int64_t epoch;               /* of the claim that made it */
        bool changed;                /* its tree is not its parent's: the run left something */
        const struct argv *refused;  /* paths whose change was taken out: another role owns them */
        const struct argv *nested;   /* folders left alone because they hold a repository */
        struct errinfo err;
};

typedef void commit_fn(void *arg, const struct commit_result *res);

/* Commits what is in rd->tree on top of info->start_sha. */
struct commit_op *commit_make(struct git *git, const struct run_info *info, const struct run_dir *rd,
                              const char *mirror, commit_fn *fn, void *arg);
/* Looks in the mirror (update it first) for a commit of this job on the task's branch: an earlier life of the
 * job pushed it and its answer was lost. Found: finish from it, do not run again. No run folder is needed. */
struct commit_op *commit_find(struct git *git, const struct run_info *info, const struct run_dir *rd,
                              const char *mirror, commit_fn *fn, void *arg);
/* Neither makes nor looks for a commit, but says the same about one that exists. */
struct commit_op *commit_describe(struct git *git, const struct run_info *info, const struct run_dir *rd,
                                  const char *mirror, const char *sha, commit_fn *fn, void *arg);
void commit_cancel(struct commit_op *op);

/* Pushes `sha` to the task's branch, expecting it at info->head_sha (NULL: not there yet). */
struct git_push_op *commit_push(struct git *git, const struct run_info *info, const char *mirror,
                                const char *sha, git_push_fn *fn, void *arg);
