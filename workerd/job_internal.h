/* job_internal.h - the job's own struct, states and steps: for the files job*.c only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/backoff.h"
#include "common/db.h"
#include "common/forge.h"
#include "common/git.h"
#include "workerd/claim.h"
#include "workerd/job.h"
#include "workerd/report.h"
#include "workerd/roles.h"
#include "common/run_dir.h"
#include "workerd/run_info.h"

struct loop_timer;
struct proc;
struct shim_link;

/*
 * X(id, name, yields_to): the last says from which kind of stop on the step is left at once; a weaker stop
 * lets it end first. What a state waits for, and where it leads:
 *
 *   NEW         the loop's next turn                        MIRRORING, ASKING (merge)
 *   MIRRORING   mirror_update                               SEEKING, CLEARING (ci)
 *   SEEKING     commit_find: was it pushed before a crash?  JUDGING if so, else CLEARING
 *   CLEARING    removal of an earlier folder of this claim  CUTTING
 *   CUTTING     tree_prepare, tree_checkout                 RUNNING
 *   RUNNING     the shim's end; timer: the shim hangs       COMMITTING, RECORDING (ci, stopped)
 *   COMMITTING  commit_make                                 JUDGING, RECORDING (a failed run, kept only)
 *   JUDGING     verdict_read                                ASKING, RECORDING
 *   ASKING      job_started: is the claim still ours?       PUSHING, MERGING
 *   PUSHING     commit_push                                 RECORDING, RETRYING
 *   MERGING     forge_merge                                 RECORDING, RETRYING
 *   RETRYING    the timer                                   ASKING
 *   RECORDING   job_finish or job_release; timer: again     CLEANING
 *   CLEANING    removal of tree/, home/ and tmp/            ENDED
 *
 * Every state before RECORDING may also lead there, with an outcome that says why. git and the database bound
 * their own calls, so only states that wait for something else have a timer of ours.
 */
#define JOB_STATES(X)                                                                                        \
        X(NEW, "new", JOB_STOP_SHUTDOWN)                                                                     \
        X(MIRRORING, "mirroring", JOB_STOP_SHUTDOWN)                                                         \
        X(SEEKING, "seeking", JOB_STOP_SHUTDOWN)                                                             \
        X(CLEARING, "clearing", JOB_STOP_SHUTDOWN)                                                           \
        X(CUTTING, "cutting", JOB_STOP_SHUTDOWN)                                                             \
        X(RUNNING, "running", JOB_STOP_NEVER) /* the shim is told, and its end is awaited */                 \
        X(COMMITTING, "committing", JOB_STOP_CANCELLED)                                                      \
        X(JUDGING, "judging", JOB_STOP_CANCELLED)                                                            \
        X(ASKING, "asking", JOB_STOP_CANCELLED)                                                              \
        X(PUSHING, "pushing", JOB_STOP_FENCED)                                                               \
        X(MERGING, "merging", JOB_STOP_FENCED)                                                               \
        X(RETRYING, "retrying", JOB_STOP_SHUTDOWN)                                                           \
        X(RECORDING, "recording", JOB_STOP_FENCED)                                                           \
        X(CLEANING, "cleaning", JOB_STOP_NEVER)                                                              \
        X(ENDED, "ended", JOB_STOP_NEVER)

#define JOB_STOP_NEVER (JOB_STOP_FENCED + 1)

enum job_state {
#define X(id, name, yields_to) JOB_##id,
        JOB_STATES(X)
#undef X
};

struct job {
        const struct job_host *host;
        struct claim claim;
        struct run_info info; /* borrows from claim, base_sha and start_sha */
        struct run_dir dir;
        char *mirror;
        char *command;                /* of the agent: its first word */
        const struct role_step *step; /* of an agent's run */
        enum job_state state;
        enum job_stop stop;
        struct report report;
        char base_sha[GIT_OID_SIZE];
        char start_sha[GIT_OID_SIZE];
        bool pushed_before;      /* by an earlier life of this job */
        unsigned finish_refused; /* times that the database refused the report itself */
        struct backoff backoff;
        struct loop_timer *timer;
        size_t cleaned; /* folders removed so far */
        job_done_fn *fn;
        void *arg;

        /* what is under way; NULL when idle */
        struct mirror_op *mirror_op;
        struct commit_op *commit_op;
        struct tree_op *tree_op;
        struct tree_remove *tree_remove;
        struct verdict_op *verdict_op;
        struct git_push_op *push_op;
        struct forge *forge;
        struct forge_call *forge_call;
        struct db_request *request;
        struct proc *shim;
        struct shim_link *link; /* NULL also when it was lost: made anew when there is something to say */

        /* what the shim has said */
        pid_t agent; /* 0: nothing yet */
        bool locked_out;
        bool shim_asked; /* to end at once, because it hangs */
};

/* job.c */
void job_set_state(struct job *job, enum job_state next);
/* Ends the present step with an outcome (when none is known yet) and goes on to record it. */
void job_conclude(struct job *job, enum report_outcome outcome, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* Something outside is not there: RETRYING, or after too many tries TRANSIENT. */
void job_retry(struct job *job, const char *what, const struct errinfo *err);
/* The database said "fenced": counted and logged, then as job_stop(). */
void job_fence(struct job *job);
/* The fence as text parameters of a statement, valid while the struct is. */
struct job_fence_text {
        char job[24], epoch[24];
};
struct job_fence_text job_fence_params(const struct job *job);

/* job_prepare.c: mirror, earlier push, tree. Leads to job_run(), or to job_judge(). */
void job_prepare(struct job *job);
/* job_agent.c: the shim and what runs under it. Leads to job_collect() or job_ci_ended(). */
void job_run(struct job *job);
void job_agent_stop(struct job *job);
void job_agent_renew(struct job *job);
/* The shim does not end: asked to kill its agent, and the next time killed itself. */
void job_agent_hangs(struct job *job);
/* job_collect.c: commit, verdict, push. Leads to job_record(). */
void job_collect(struct job *job);
void job_judge(struct job *job);
void job_ask(struct job *job);
/* job_ci.c, job_merge.c */
struct run_status;
void job_ci_ended(struct job *job, const struct run_status *st);
void job_merge(struct job *job);
/* job_finish.c: the end in the database, then on the disk. */
void job_record(struct job *job);
void job_record_again(struct job *job);
