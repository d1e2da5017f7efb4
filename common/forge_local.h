/* forge_local.h - shared by the two files of the local forge; nobody else includes it. */
#pragma once

#include "common/forge.h"
#include "common/git_seq.h"

struct forge_local {
        struct forge forge; /* first */
        struct git *git;
        char *location; /* a bare repository */
};

/* One call of either kind. */
struct forge_call {
        struct forge_local *forge;
        struct git_seq *seq;      /* NULL: not at this */
        struct git_push_op *push; /* NULL: not at this */
        char *branch;
        char *ref; /* refs/heads/BRANCH */

        forge_answer_fn *fn; /* of branch_head and delete_branch */
        forge_merge_fn *merge_fn;
        void *arg;
        struct forge_answer answer;

        char *default_ref;
        char *expected_head;
        char *expected_base; /* NULL: any */
        char *message;
        char head[GIT_OID_SIZE]; /* where the branch is; "" when there is none */
        struct forge_merge_answer merge;
};

struct forge_call *forge_local_call_new(struct forge *f, const char *branch);
void forge_local_call_free(struct forge_call *call);
struct forge_call *forge_local_merge(struct forge *f, const struct forge_merge_spec *spec, forge_merge_fn *fn,
                                     void *arg);
/* Adds "rev-parse --verify --quiet WHAT" on our repository. */
void forge_local_rev_parse(struct forge_call *call, struct git_cmd *cmd, const char *what);
