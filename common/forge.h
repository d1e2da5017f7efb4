/*
 * forge.h - the port to where the code lives: `local` (a bare repository on disk), `gitea`.
 *
 * Answers are those of port.h. Nothing here pushes to the default branch: it changes by forge_merge() alone,
 * which names the head it has tested and lands nothing else.
 */
#pragma once

#include <stdbool.h>

#include "common/git.h"
#include "common/port.h"

struct forge;
struct forge_call;

struct forge_answer {
        struct port_answer port;
        char sha[GIT_OID_SIZE]; /* branch_head: where it is */
};

enum forge_merge_outcome {
        FORGE_MERGED = 0,     /* by this call; merged_sha, base_sha and tree say what landed, or are "" */
        FORGE_ALREADY_MERGED, /* the head was in the default branch before; the same three */
        FORGE_CONFLICT,       /* the two do not merge: `port.err` names the files */
        FORGE_MOVED,          /* the branch is not at the expected head */
        FORGE_BASE_MOVED,     /* the default branch is not at the expected base; base_sha says where it is */
        FORGE_REFUSED,        /* by a rule of the forge */
        FORGE_NOT_FOUND,      /* no such branch or repository */
        FORGE_UNAVAILABLE, /* nothing was done; try again later (also: the default branch moved meanwhile) */
        FORGE_UNKNOWN,     /* perhaps merged; calling again finds out */
};

struct forge_merge_answer {
        enum forge_merge_outcome outcome;
        struct port_answer port;       /* the same in the words of all ports, and why */
        char merged_sha[GIT_OID_SIZE]; /* the commit on the default branch that contains the head */
        char base_sha[GIT_OID_SIZE];   /* the default branch before it */
        char tree[GIT_OID_SIZE];       /* of merged_sha; verified to be the merge of base and head */
        /* A forge that is asked over a network does not know all three: then the repository tells, after a
         * fetch (landing_verify()). */
};

typedef void forge_answer_fn(void *arg, const struct forge_answer *answer);
typedef void forge_merge_fn(void *arg, const struct forge_merge_answer *answer);

struct forge_merge_spec {
        const char *branch;
        const char *expected_head;
        const char *expected_base; /* what it was tested on: nothing lands on another one; NULL: on any */
        const char *message;       /* subject of the merge commit; one line */
};

/* What shows a branch to people, where a forge has such a thing. */
struct forge_pull_spec {
        const char *branch, *title, *text;
};

struct forge_ops {
        const char *name;
        struct forge_call *(*branch_head)(struct forge *f, const char *branch, forge_answer_fn *fn,
                                          void *arg);
        struct forge_call *(*delete_branch)(struct forge *f, const char *branch, forge_answer_fn *fn,
                                            void *arg);
        struct forge_call *(*ensure_pull)(struct forge *f, const struct forge_pull_spec *spec,
                                          forge_answer_fn *fn, void *arg); /* NULL: it has none */
        struct forge_call *(*merge)(struct forge *f, const struct forge_merge_spec *spec, forge_merge_fn *fn,
                                    void *arg);
        void (*cancel)(struct forge_call *call);
        void (*free)(struct forge *f);
};

/* First member of each adapter's own struct. */
struct forge {
        const struct forge_ops *ops;
        char *default_branch; /* owned; what the branch guard is asked about */
};

struct http_client;

/* One repository at one forge. */
struct forge_config {
        const char *adapter, *default_branch;
        struct git *git;                     /* local */
        const char *location;                /* local: a bare repository */
        struct http_client *http;            /* gitea */
        const char *url, *token_file, *repo; /* gitea: its server; where our token is; "OWNER/NAME" */
};

/* NULL with the reason in `err` for an adapter that does not exist. Strings are copied; `git` and `http` are
 * borrowed. */
struct forge *forge_new(const struct forge_config *cfg, struct errinfo *err);
void forge_free(struct forge *f); /* every call must be gone; NULL is fine */

struct forge_call *forge_branch_head(struct forge *f, const char *branch, forge_answer_fn *fn, void *arg);
/* NULL, with the reason in `err` and no callback to come, when the branch guard refuses: nothing was sent. A
 * branch that is already gone is PORT_OK. */
struct forge_call *forge_delete_branch(struct forge *f, const char *branch, forge_answer_fn *fn, void *arg,
                                       struct errinfo *err);
/* A pull request of the branch into the default branch that is open: found, or made. NULL, with the reason,
 * as for a deletion, and when the forge has no such thing. */
struct forge_call *forge_ensure_pull(struct forge *f, const struct forge_pull_spec *spec, forge_answer_fn *fn,
                                     void *arg, struct errinfo *err);
struct forge_call *forge_merge(struct forge *f, const struct forge_merge_spec *spec, forge_merge_fn *fn,
                               void *arg);
/* No callback; NULL is fine. What was already sent may still happen. */
void forge_cancel(struct forge *f, struct forge_call *call);
const char *forge_merge_outcome_name(enum forge_merge_outcome outcome);

/* The adapters: a bare repository on this machine; one of a Gitea server. */
struct forge *forge_local_new(struct git *git, const char *location, const char *default_branch);
struct forge *forge_gitea_new(const struct forge_config *cfg);
