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
#include "workerd/adapter.h"
#include "workerd/agent_session.h"
#include "workerd/claim.h"
#include "workerd/job.h"
#include "workerd/report.h"
#include "workerd/roles.h"
#include "common/run_dir.h"
#include "workerd/run_info.h"
#include "workerd/run_status.h"

struct loop_timer;
struct claude;
struct evict;
struct log_follow;
struct proc;
struct shell_command;
struct shim_link;

/*
 * X(id, name, yields_to, leads_to): `yields_to` says from which kind of stop on the step is left at once; a
 * weaker stop lets it end first. What a state waits for:
 *
 *   NEW          the loop's next turn
 *   ATTACHING    (adopted) the shim's hello, or that the job's lock is free; timer: the next look
 *   MIRRORING    mirror_update
 *   SEEKING      commit_find: did an earlier life of the job push its work?
 *   REBASING     rebase_start
 *   TRYING       landing_look: what would a merge land?
 *   CLEARING     removal of an earlier folder of this claim
 *   CUTTING      tree_prepare, tree_checkout
 *   STARTING     job_started: the run is announced before its shim exists; timer: again, or for a beat that
 *                counts
 *   RUNNING      the shim's end; timer: the shim hangs
 *   READING      the loop's next turn: the rest of what the agent said
 *   HUNTING      orch-shim --clean: what a killed shim has left is killed; timer: again
 *   COMMITTING   commit_make
 *   JUDGING      verdict_read
 *   DESCRIBING   commit_describe
 *   ASKING       job_started, job_intent: is the claim still ours?
 *   PUSHING      commit_push
 *   MERGING      forge_merge
 *   VERIFYING    landing_verify: is what landed what was tested?
 *   LOOKING      deploy_look
 *   INITIATING   deploy_initiate: from its answer on the deploy is started, whatever is asked of us
 *   BEGINNING    the deploy's shim: that its command runs, or its end; timer: no answer
 *   AWAITING     (finalizer) the end of the deploy's shim, or orch-shim --clean; timer: the next look
 *   CHECKING     the project's deploy_check; (merger) its integrity
 *   RETRYING     the timer
 *   RECORDING    job_finish or job_release; timer: again. Fenced: that we have said so, for a moment
 *   CLEANING     removal of tree/, home/ and tmp/
 *   ENDED        the loop's next turn
 *
 * Every state before RECORDING may also lead there, with an outcome that says why, and to ENDED, when the run
 * is let go. git and the database bound their own calls, so only states that wait for something else have a
 * timer of ours.
 */
#define TO(id) (1u << JOB_##id)
#define JOB_STATES(X)                                                                                        \
        X(NEW, "new", JOB_STOP_LEAVE, TO(MIRRORING) | TO(ASKING) | TO(ATTACHING) | TO(LOOKING))              \
        X(ATTACHING, "attaching", JOB_STOP_LEAVE,                                                            \
          TO(RUNNING) | TO(READING) | TO(MIRRORING) | TO(COMMITTING) | TO(DESCRIBING) | TO(HUNTING))         \
        X(MIRRORING, "mirroring", JOB_STOP_LEAVE,                                                            \
          TO(SEEKING) | TO(REBASING) | TO(TRYING) | TO(VERIFYING) | TO(CLEARING) | TO(CUTTING) |             \
                  TO(RETRYING))                                                                              \
        X(SEEKING, "seeking", JOB_STOP_LEAVE,                                                                \
          TO(JUDGING) | TO(CLEARING) | TO(CUTTING) | TO(COMMITTING) | TO(RETRYING))                          \
        X(REBASING, "rebasing", JOB_STOP_LEAVE, TO(DESCRIBING) | TO(ASKING))                                 \
        X(TRYING, "trying", JOB_STOP_LEAVE, TO(ASKING) | TO(CLEARING) | TO(CUTTING))                         \
        X(CLEARING, "clearing", JOB_STOP_LEAVE, TO(CUTTING) | TO(RETRYING))                                  \
        X(CUTTING, "cutting", JOB_STOP_LEAVE,                                                                \
          TO(STARTING) | TO(INITIATING) | TO(COMMITTING) | TO(CHECKING) | TO(RETRYING))                      \
        X(STARTING, "starting", JOB_STOP_LEAVE, TO(RUNNING))                                                 \
        X(RUNNING, "running", JOB_STOP_LEAVE,                                                                \
          TO(READING) | TO(COMMITTING) | TO(MIRRORING) | TO(DESCRIBING) | TO(ATTACHING) | TO(HUNTING))       \
        X(READING, "reading", JOB_STOP_FENCED, TO(COMMITTING) | TO(MIRRORING))                               \
        X(HUNTING, "hunting", JOB_STOP_NEVER, 0)                                                             \
        X(COMMITTING, "committing", JOB_STOP_CANCELLED, TO(JUDGING))                                         \
        X(JUDGING, "judging", JOB_STOP_CANCELLED, TO(ASKING))                                                \
        X(DESCRIBING, "describing", JOB_STOP_LEAVE, TO(ASKING) | TO(MIRRORING))                              \
        X(ASKING, "asking", JOB_STOP_CANCELLED,                                                              \
          TO(PUSHING) | TO(MERGING) | TO(CLEARING) | TO(CUTTING) | TO(RETRYING))                             \
        X(PUSHING, "pushing", JOB_STOP_FENCED, TO(MIRRORING) | TO(CLEARING) | TO(CUTTING) | TO(RETRYING))    \
        X(MERGING, "merging", JOB_STOP_FENCED, TO(MIRRORING) | TO(RETRYING))                                 \
        X(VERIFYING, "verifying", JOB_STOP_LEAVE, TO(CLEARING) | TO(RETRYING))                               \
        X(LOOKING, "looking", JOB_STOP_LEAVE, TO(MIRRORING) | TO(INITIATING) | TO(AWAITING) | TO(RETRYING))  \
        X(INITIATING, "initiating", JOB_STOP_FENCED, TO(BEGINNING) | TO(RETRYING))                           \
        X(BEGINNING, "beginning", JOB_STOP_NEVER, TO(RETRYING))                                              \
        X(AWAITING, "awaiting", JOB_STOP_LEAVE, TO(CHECKING) | TO(MIRRORING))                                \
        X(CHECKING, "checking", JOB_STOP_LEAVE, TO(MIRRORING) | TO(RETRYING))                                \
        X(RETRYING, "retrying", JOB_STOP_LEAVE, TO(ASKING) | TO(MIRRORING) | TO(LOOKING) | TO(INITIATING))   \
        X(RECORDING, "recording", JOB_STOP_FENCED, TO(RECORDING) | TO(CLEANING))                             \
        X(CLEANING, "cleaning", JOB_STOP_NEVER, 0)                                                           \
        X(ENDED, "ended", JOB_STOP_NEVER, 0)

#define JOB_STOP_NEVER (JOB_STOP_FENCED + 1)

enum job_state {
#define X(id, name, yields_to, leads_to) JOB_##id,
        JOB_STATES(X)
#undef X
};

/* Of the integrator and the merger: what is to be on the branch, or in the default branch. */
struct job_land {
        char head[GIT_OID_SIZE];   /* what is tested: the head, or the merge of it; "": not known yet */
        char base[GIT_OID_SIZE];   /* the default branch that it is on, or would land on */
        char remote[GIT_OID_SIZE]; /* where the branch was found */
        bool push, test;           /* `head` is still to be pushed; and tested */
        bool green;                /* it was tested */
        bool merged;               /* the head is in the default branch already */
        unsigned looks;            /* pushes that found the branch elsewhere */
        char *said;                /* how the test ended */
        void (*described)(struct job *job); /* what follows DESCRIBING */
};

struct job {
        const struct job_host *host;
        struct claim claim;
        struct run_info info; /* borrows from claim, base_sha and start_sha */
        struct run_dir dir;
        char *mirror;
        const struct role_step *step; /* of an agent's run */
        enum adapter adapter;         /* of an agent's run */
        enum job_state state;
        enum job_stop stop;
        struct report report;
        char base_sha[GIT_OID_SIZE];
        char start_sha[GIT_OID_SIZE];
        struct argv test_changes; /* of the branch, as last looked at */
        bool adopted;             /* its run was begun by another worker */
        bool launched;            /* its run may have a shim: whoever gives it up lets it go, for an heir */
        bool pushed_before;       /* by an earlier life of this job */
        char moved_to[GIT_OID_SIZE]; /* where a push has found the branch; "": none was refused so */
        unsigned finish_refused;     /* times that the database refused the report itself */
        int64_t confirmed_ms; /* since when the claim is known to be ours (job_confirmed()); 0: not yet */
        int64_t asked_ms;     /* when job_started was sent */
        int64_t freeze_ms;    /* freeze_after of its shim: as it was when that was started, or adopted */
        int64_t doubt_ms;   /* for so long after it the shim may not have said that its agent stands still */
        int64_t doubted_ms; /* the confirmation that was found to be as old as freeze_ms; 0: none */
        struct backoff backoff;
        struct loop_timer *timer;
        struct loop_timer *promise_timer;  /* job_promise.c */
        void (*again)(struct job *job);    /* what RETRYING tries again */
        void (*weighed)(struct job *job);  /* what follows job_weigh() */
        void (*fetched)(struct job *job);  /* what follows MIRRORING */
        void (*unpushed)(struct job *job); /* what follows SEEKING when nothing was pushed */
        struct job_land land;
        bool unsaved;   /* the tree could not be committed: it stays */
        size_t cleaned; /* folders removed so far */
        job_done_fn *fn;
        void *arg;

        /* what is under way; NULL when idle */
        struct mirror_op *mirror_op;
        struct commit_op *commit_op;
        struct tree_op *tree_op;
        struct tree_remove *tree_remove;
        struct test_changes_op *test_changes_op;
        struct verdict_op *verdict_op;
        struct rebase_op *rebase_op;
        struct landing_look *look_op;
        struct landing_verify *verify_op;
        struct git_push_op *push_op;
        struct forge *forge;
        struct forge_call *forge_call;
        struct db_request *request;
        struct proc *shim;      /* our own child; NULL for an adopted run */
        struct proc *hunter;    /* orch-shim --clean */
        struct shim_link *link; /* NULL also when it was lost: made anew when there is something to say */

        /* what the shim has said */
        pid_t agent;  /* 0: nothing yet */
        bool at_rest; /* its agent is frozen, or has ended */
        bool locked_out;
        bool shim_asked; /* to end at once, because it hangs */

        /* what the agent says (job_follow.c); NULL: nothing that we could read */
        struct claude *events;
        struct log_follow *follow;
        struct run_status status; /* READING: how it has ended */
        int64_t usage_told_ms;
        int64_t usage_told;  /* how much of it: output tokens and micro-dollars */
        char *continue_file; /* what an agent is told that goes on with a session */
        char session[AGENT_SESSION_SIZE], resumes[AGENT_SESSION_SIZE]; /* "": none */
        /* of a releaser or finalizer */
        struct run_dir deploy; /* the record's folder; path NULL: not known (yet) */
        char *deploy_command, *check_command;
        char *deploy_sha, *deploy_host;
        struct shell_command *check; /* NULL when idle */

        struct evict *evict; /* shims of other claims of this job; NULL: none is to be killed */
};

/* job.c */
void job_set_state(struct job *job, enum job_state next);
/* Ends the present step with an outcome (when none is known yet) and goes on to record it. */
void job_conclude(struct job *job, enum report_outcome outcome, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* The same for a failure that no other attempt can mend. */
void job_final(struct job *job, const char *why);
/* Something outside is not there: RETRYING, then `again`; or after too many tries TRANSIENT. */
void job_retry(struct job *job, const char *what, const struct errinfo *err, void (*again)(struct job *job));
/* The same, for as long as it takes. */
void job_retry_on(struct job *job, const char *what, const struct errinfo *err,
                  void (*again)(struct job *job));
/* job_forge.c: the forge has answered. It has not: as job_retry(); but is it away, or does not take our
 * token, then what has work to lose tries for as long as it takes, and all else waits in the queue (I-7). */
void job_forge_answered(struct job *job);
void job_push_answered(struct job *job,
                       const struct git_push_result *res); /* the same, if it was an answer */
void job_push_failed(struct job *job, const struct git_push_result *res);
void job_forge_away(struct job *job, const char *what, const struct port_answer *answer,
                    void (*again)(struct job *job));
/* The database said "fenced": counted and logged, then as job_stop(). */
void job_fence(struct job *job);
/* Leaves a launched run as it is. Nothing is lost by it: what an heir needs is in its folder and in the
 * database. */
void job_let_go(struct job *job);
/* The fence as text parameters of a statement, valid while the struct is. */
struct job_fence_text {
        char job[24], epoch[24];
};
struct job_fence_text job_fence_params(const struct job *job);

/* job_prepare.c: mirror, earlier push, tree. Leads to job_start(), or to job_judge(). */
bool job_acceptable(struct job *job); /* false: and concluded */
void job_prepare(struct job *job);
/* Fetches; then `next`. */
void job_fetch(struct job *job, void (*next)(struct job *job));
void job_fetch_again(struct job *job);
/* A fresh tree for the project's own command, at land.head or the head of the branch; then job_start(). */
void job_cut(struct job *job);
/* Fetches, and looks for what an earlier life of this job has pushed; then job_judge(), or `unpushed`. */
void job_seek(struct job *job, void (*unpushed)(struct job *job));
/* What the branch does to its tests up to `head`, when the step is to weigh that; then `fn`. */
void job_weigh(struct job *job, const char *base, const char *head, void (*fn)(struct job *job));
/* job_start.c: announces the run, and starts its shim. Leads to job_agent_ended(). */
void job_start(struct job *job);
const char *job_agent_command(const struct job *job); /* as it is configured */
/* job_agent.c: the link to the shim, whoever started it. Leads to job_collect() or job_ci_ended(). */
void job_agent_link(struct job *job, int fd); /* takes our end of the shim's descriptor 3 */
void job_agent_attach(struct job *job);
/* Our shim has not started the agent yet, and would not start it without us: the run would be lost. */
bool job_agent_is_beginning(const struct job *job);
void job_agent_connect(struct job *job); /* unless the link is there */
void job_agent_stop(struct job *job);
void job_agent_renew(struct job *job);
/* By its status; without one it has died, and `how` says what is known of that. */
void job_agent_ended(struct job *job, const char *how);
/* job_promise.c: a shim that does not freeze its agent in time is killed, and the agent with it. */
void job_promise_make(struct job *job);      /* before its shim is started, or looked for */
void job_promise_confirmed(struct job *job); /* confirmed_ms has changed */
void job_promise_over(void *arg);            /* of promise_timer */
/* SIGKILL for the shim of this run, and for all that are its children: it has been stopped, or hangs. */
void job_shim_kill(struct job *job);
/* job_hunt.c: kills what a killed shim has left, and goes on only when nothing is. Leads to job_record(). */
void job_hunt(struct job *job);
/* The shim does not end: asked to kill its agent, and the next time killed itself. */
void job_agent_hangs(struct job *job);
/* job_follow.c: what the agent says of itself. */
void job_follow_begin(struct job *job); /* an agent is about to run, or runs */
void job_follow(struct job *job);       /* at a beat: reads what has come, and tells what was used */
void job_follow_rest(
        struct job *job); /* how it ended is in `status`: reads the rest. Leads to job_agent_judge() */
void job_follow_on(struct job *job);   /* READING's timer */
void job_follow_note(struct job *job); /* puts it in the report, when nobody will judge it */
void job_follow_end(struct job *job);  /* frees it */
/* A new session, and what it can go on from. */
void job_session(struct job *job);
void job_agent_judge(struct job *job);
/* job_collect.c: commit, verdict, push. Leads to job_record(). */
void job_collect(struct job *job);
void job_judge(struct job *job);
void job_ask(struct job *job);
/* job_ci.c: how the project's own command ended. */
struct run_status;
void job_ci_ended(struct job *job, const struct run_status *st);
/* job_integrate.c, job_merge.c: begin; go on when the claim is known to be ours; go on after the test. */
void job_integrate(struct job *job);
void job_integrate_asked(struct job *job);
void job_integrate_tested(struct job *job, bool green, const char *said);
void job_merge(struct job *job);
void job_merge_asked(struct job *job);
void job_merge_tested(struct job *job, bool green, const char *said);
void job_merge_verified(struct job *job);
void job_merge_mismatch(struct job *job, const char *why);
/* job_integrity.c: the project's own look at what was merged. Leads to one of the two above. */
void job_integrity(struct job *job);
/* job_deploy.c: phase B of a deploy (M-3). job_finalize.c: phase C. */
void job_deploy(struct job *job);
void job_deploy_cut(struct job *job); /* the work tree is there */
void job_finalize(struct job *job);
void job_finalize_cut(struct job *job);
void job_finalize_look(struct job *job);
bool job_finalize_unknown(const struct job *job); /* nobody could find out what came of the deploy */
struct db_result;
/* What deploy_look() has said; false: it could not be asked, or the claim is over, and that is seen to. */
bool job_deploy_looked(struct job *job, const struct db_result *res);
void job_deploy_look(struct job *job, void (*fn)(void *arg, const struct db_result *res));
/* job_finish.c: the end in the database, then on the disk. */
void job_record(struct job *job);
void job_record_again(struct job *job);
