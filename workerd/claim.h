/*
 * claim.h - a job as it was claimed: everything that is needed to run it, and the fence for every write about
 * it. Owns its strings; lends them to struct run_info.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workerd/run_info.h"

struct db_result;
struct errinfo;

enum claim_kind {
        CLAIM_AGENT,
        CLAIM_CI,
        CLAIM_CHECK,
        CLAIM_INTEGRATE,
        CLAIM_MERGE,
        CLAIM_DEPLOY,
        CLAIM_FINALIZE
};

struct claim {
        int64_t job;
        int64_t epoch;
        char *token;
        enum claim_kind kind;
        char *work_item, *title, *description, *role, *stage, *input;
        char *failed_log, *earlier; /* for an agent that works again; else NULL */
        int attempt, max_attempts;
        bool crashed; /* an earlier claim of this job was lost */
        char *branch, *head_sha;
        char *base_sha;          /* of a run that was announced before: adopted */
        char *session, *resumes; /* of the agent of such a run (agent_session.h) */
        char *former_sessions;   /* of earlier runs of the job on this host, newest first: "EPOCH:SESSION ..."
                                  */
        char *repo, *forge, *location, *default_branch, *docs_dir, *test_command;
        char *server, *token_file, *forge_name; /* of a forge that is asked over a network; else NULL */
        char *command;                          /* the project's, for the step */
        char *test_globs, *gate_config_globs;   /* one pattern per line */
        char *announced; /* commits that runs of the job were about to push, separated by blanks */

        /* of the integrator and the merger */
        char *pushing;      /* heads that an earlier life of the job may have pushed: "{SHA,SHA}" */
        char *run_head;     /* of a run that was begun before: what it tests */
        char *tested_base;  /* what the head was tested on; NULL: it was not */
        char *deployed_sha; /* what runs in production; NULL: nothing does */
        char *markers;      /* "PATH:NEEDLE" lines */
        char *integrity;    /* the project's command; NULL: it has none */
        bool tested;        /* the code of the head has passed the tests */
        bool rebase_always;
};

/* The kinds of jobs that this release knows, separated by blanks: it is given no other. */
const char *claim_kinds(void);
/* Copies row `row` of job_claim or job_adopt. 0, or -EINVAL with the reason in `err`: the row makes no sense
 * to us. `ret` is then still good for the fence (job, epoch, token) and claim_deinit(). */
int claim_read(struct claim *ret, const struct db_result *res, int row, struct errinfo *err);
void claim_deinit(struct claim *c);
/* What a shell runs instead of an agent: the project's own command for the step; NULL for other kinds. */
const char *claim_shell_command(const struct claim *c);
/* What the modules of a run want to know; borrows from the claim. */
void claim_run_info(const struct claim *c, struct run_info *ret);
