/*
 * mirror.h - our bare mirror of a project's repository on this host.
 *
 * One per repository, shared by all workerd processes of the host under a lock file beside it. It holds the
 * remote's branches under refs/heads and what failed runs left under refs/orch/runs. A mirror that stands
 * under its name is complete: it is made in a folder beside it and then renamed. One that proves broken is
 * made anew.
 */
#pragma once

#include <stdbool.h>

#include "common/git.h"

struct mirror_op;

enum mirror_outcome {
        MIRROR_OK = 0,
        MIRROR_UNAVAILABLE, /* the remote does not answer, or the lock was held for too long: try again later
                             */
        MIRROR_FAILED,      /* anything else, such as a full disk */
};

struct mirror_result {
        enum mirror_outcome outcome;
        enum port_outcome said; /* MIRROR_UNAVAILABLE: about the server, as in struct git_result */
        bool made_anew;         /* this call made it */
        struct errinfo err;
};

typedef void mirror_fn(void *arg, const struct mirror_result *res);

/* Brings the mirror at `path` (run_dir_mirror()) up to date with the branches of `remote`, making it if need
 * be.
 */
struct mirror_op *mirror_update(struct git *git, const char *path, const struct git_remote *remote,
                                mirror_fn *fn, void *arg);
void mirror_cancel(struct mirror_op *op);

/* Leaves a mark that the mirror gave a wrong answer: the next update examines it, and makes it anew if it is
 * broken. */
void mirror_suspect(const char *path);
