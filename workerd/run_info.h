/*
 * run_info.h - what is known about one run when it starts: the claimed job, its task and its project.
 *
 * Plain borrowed strings, filled by the owner of the claim; "" or NULL where a thing is unknown. The modules
 * that prepare, describe, commit and judge a run all take this one struct.
 */
#pragma once

#include <stdint.h>

#include "common/argv.h"
#include "common/git_remote.h"

struct run_info {
        int64_t job;
        int64_t epoch;
        int attempt, max_attempts;
        const char *role;  /* "developer" */
        const char *stage; /* "development" */
        const char *work_item;
        const char *title;
        const char *description; /* foreign text */
        const char *input;       /* why this run: foreign text; NULL when there is no reason but the stage */
        const char *failed_log;  /* end of the log of what failed: foreign text; or NULL */
        const char *earlier;     /* what else has failed so far: foreign text; or NULL */
        const char *docs_dir;    /* "docs/work-items/ORCH-1", relative to the tree */
        const char *test_command;
        const char *test_globs, *gate_config_globs; /* one pattern per line (test_changes.h) */

        const char *repo;         /* name of the mirror */
        struct git_remote remote; /* what git fetches from and pushes to */
        const char *branch;
        const char *default_branch;
        const char *head_sha; /* of the branch as we last pushed it; NULL before the cut */

        /* known once the tree is prepared (struct tree_result) */
        const char *base_sha;            /* merge base with the default branch */
        const struct argv *test_changes; /* what the branch does to its tests; NULL or empty: nothing */
        const char *start_sha; /* the commit that the tree was checked out at, and that a verdict judges */
};
