/*
 * landing.h - before a merge: what it would be made of; after it: whether that is what landed (M-4).
 *
 * Both look at our mirror (update it first) and change nothing but a ref of our own there. The merge itself
 * is the forge's (common/forge.h).
 */
#pragma once

#include "common/git.h"
#include "workerd/run_info.h"

/* ---- before ---- */

struct landing_look;

enum landing_outcome {
        LANDING_READY = 0, /* the default branch is where it was when the head was tested */
        LANDING_MERGED,    /* the head is in the default branch already */
        LANDING_UNTESTED,  /* the default branch has moved: `candidate` is what would land, and nobody tested
                              it */
        LANDING_CONFLICT,  /* it has moved, and the head does not merge with it any more; err names the files
                            */
        LANDING_GONE,      /* the repository does not have the head */
        LANDING_FAILED,    /* git failed: try again */
};

struct landing_look_result {
        enum landing_outcome outcome;
        char base_sha[GIT_OID_SIZE];  /* tip of the default branch as mirrored */
        char candidate[GIT_OID_SIZE]; /* a merge commit of base and head, kept as refs/orch/runs/JOB-EPOCH */
        struct errinfo err;
};

typedef void landing_look_fn(void *arg, const struct landing_look_result *res);

/* Looks at info->head_sha. `tested_base`: what it was tested on, or NULL. */
struct landing_look *landing_look(struct git *git, const struct run_info *info, const char *mirror,
                                  const char *tested_base, landing_look_fn *fn, void *arg);
void landing_look_cancel(struct landing_look *op); /* NULL is fine */

/* ---- after ---- */

struct landing_verify;

enum landing_verdict {
        LANDING_VERIFIED = 0,
        LANDING_MISMATCH, /* err says in what */
        LANDING_UNKNOWN,  /* git failed: try again */
};

struct landing_spec {
        const char *mirror, *default_branch;
        const char *head;     /* what was merged */
        const char *deployed; /* what runs in production; NULL: nothing was deployed */
        const char *tested_base;
        const char *merged_sha, *landed_base,
                *landed_tree; /* as the forge says: struct forge_merge_answer;
                                 is one of them "" or NULL, then all are looked up */
        const char
                *markers; /* "PATH:NEEDLE" lines: text that must be in files of the default branch; or NULL */
};

struct landing_verify_result {
        enum landing_verdict verdict;
        char merged_sha[GIT_OID_SIZE], landed_base[GIT_OID_SIZE],
                landed_tree[GIT_OID_SIZE]; /* "": not known */
        struct errinfo err;
};

typedef void landing_verify_fn(void *arg, const struct landing_verify_result *res);

/* Verified: head and deployed commit are in the default branch; the tree that landed is the merge of tested
 * base and head; nothing that landed since has taken a whole file of it back; every marker is there. */
struct landing_verify *landing_verify(struct git *git, const struct landing_spec *spec, landing_verify_fn *fn,
                                      void *arg);
void landing_verify_cancel(struct landing_verify *op); /* NULL is fine */
