/*
 * report.h - what a run came to: the outcome, in the words of job_finish, and the report that goes with it.
 *
 * Filled step by step while the job goes on, written as JSON once. Owns copies of all it is given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/argv.h"
#include "common/strbuf.h"
#include "workerd/agent_facts.h"

struct commit_result;
struct run_status;
struct verdict_evidence;

/* X(id, word) */
#define REPORT_OUTCOMES(X)                                                                                   \
        X(SUCCESS, "success")                                                                                \
        X(FAILED, "failed")                                                                                  \
        X(TIMEOUT, "timeout")                                                                                \
        X(KILLED, "killed")                                                                                  \
        X(NOTHING_LEFT, "nothing-left")                                                                      \
        X(NO_VERDICT, "no-verdict")                                                                          \
        X(MISSING_ARTEFACTS, "missing-artefacts")                                                            \
        X(CANCELLED, "cancelled")                                                                            \
        X(TRANSIENT, "transient")                                                                            \
        X(BASE_MOVED, "base-moved")

enum report_outcome {
        REPORT_NONE = 0, /* not known yet */
#define X(id, word) REPORT_##id,
        REPORT_OUTCOMES(X)
#undef X
};

struct report_evidence {
        char *gate, *value, *file, *blob, *sha, *questions, *detail;
};

struct report {
        enum report_outcome outcome;
        char *reason;
        int exit_code;                                  /* -1: none */
        int signo;                                      /* 0: none */
        char *head_sha, *parent_sha, *tree, *code_tree; /* of the run's commit */
        char *patch_id, *patch_base;                    /* of the branch, up to that commit */
        char *branch;
        bool pushed;                              /* the commit is on the branch: only then is it reported */
        const char *ci_state;                     /* "success", "failure", or NULL */
        const char *check_state;                  /* "pass", "fail", or NULL */
        char *merged_sha, *base_sha, *merge_tree; /* of a merge, and the base it landed on */
        char *tested_base;                        /* what the head, or the merge, was tested on */
        const char *deploy_status; /* "SUCCESS", "FAILED", "UNKNOWN", or NULL: it is no deploy */
        int deploy_exit_code;      /* of the project's command; -1: none */
        char *deploy_reason;
        struct argv refused;
        struct report_evidence *evidence;
        size_t n_evidence;
        struct strbuf log_excerpt;
        struct agent_usage usage; /* of models; nothing of it: not reported (J-7) */
        char *model, *version, *session;
        char *provider_error;     /* what its provider said: the circuit opens (J-4) */
        int64_t provider_retry_s; /* since 1970: not before; 0: not said */
        const char *forge_said;   /* the last answer of a forge that is asked over a network, in the words of
                                     the   ports; NULL: it was not asked */
        int64_t forge_retry_s;    /* it wants us to wait; -1: not said */
        bool final;               /* another attempt cannot help */
        char *session_retired;    /* why nobody may go on with the session */
};

#define REPORT_INIT                                                                                          \
        {                                                                                                    \
                .exit_code = -1, .deploy_exit_code = -1, .forge_retry_s = -1, .refused = ARGV_INIT,          \
                .log_excerpt = STRBUF_INIT, .usage = AGENT_USAGE_INIT                                        \
        }

void report_deinit(struct report *r);
/* The first outcome stays, unless `outcome` is REPORT_CANCELLED. */
void report_outcome(struct report *r, enum report_outcome outcome, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
const char *report_outcome_word(enum report_outcome outcome);
/* "no-verdict" and the like; REPORT_FAILED for a word that is none. */
enum report_outcome report_outcome_parse(const char *word);
/* How the agent ended: sets exit code, signal, and the outcome when it is not an exit with 0. `command` is
 * for the reason. Answers whether it exited with 0. */
bool report_run_end(struct report *r, const struct run_status *st, const char *command);
/* What the agent said of itself. */
void report_facts(struct report *r, const struct agent_facts *facts);
void report_provider(struct report *r, const char *error, int64_t retry_s, bool final);
void report_session_retired(struct report *r, const char *why);
/* Appends the JSON object of what was used: {"models": {NAME: {...}}, "turns": N}. */
void report_usage(const struct agent_usage *usage, struct strbuf *sb);
void report_commit(struct report *r, const struct commit_result *commit, const char *branch);
void report_ci_state(struct report *r, const char *state);    /* borrows a literal */
void report_check_state(struct report *r, const char *state); /* borrows a literal */
void report_base(struct report *r, const char *tested_base);
void report_merge(struct report *r, const char *merged_sha, const char *base_sha, const char *tree);
/* How its forge has answered; borrows a literal. */
void report_forge(struct report *r, const char *said, int64_t retry_after_s);
/* What the finalizer has found; `status` is a literal. */
void report_deploy(struct report *r, const char *status, int exit_code, const char *reason);
/* Another commit than the one judged is what counts. */
void report_forget_evidence(struct report *r);
void report_add_evidence(struct report *r, const struct verdict_evidence *e, const char *sha);
/* Appends the JSON object. */
void report_write(const struct report *r, struct strbuf *sb);
