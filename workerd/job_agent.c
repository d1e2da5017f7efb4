/*
 * job_agent.c - the link to the shim of a run, whoever started it, and the end of the run.
 *
 * The shim owns the process group, the log, the clocks; we talk with it over a link and read its status file
 * when it has ended. It does its duty without us, but freezes what it runs when we have not renewed it for
 * too long. A shim that we started is our child, and its exit says that it has ended; of one that we adopted
 * the job's lock says so, which every shim holds for its life.
 */
#include "workerd/job_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "queries.h"
#include "workerd/agent_judge.h"
#include "workerd/claude.h"
#include "workerd/evict.h"
#include "workerd/run_status.h"
#include "workerd/shim_link.h"

#define SHIM_SLACK_MS       60000 /* beyond its own bounds, for a machine under load */
#define SHIM_LAST_MS        30000
#define SHIM_ENDED_MS       5000 /* from its last word to its exit */
#define ATTACH_RETRY_MS     200
#define STARTED_DEADLINE_MS 60000
#define LOG_EXCERPT_BYTES   4096

static void on_started_recorded(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        job->request = NULL;
        if (res->outcome == DB_OK && db_rows(res) == 1 && !db_bool(res, 0, "held"))
                job_stop(job,
                         JOB_STOP_CANCELLED); /* or fenced: then recording it says so, and changes nothing */
        else if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("job.start-not-recorded"), LF_I("job", job->claim.job), LF_ERR(&res->err),
                            LF_S("then", "the run goes on; its end is recorded"));
}

static void record_started(struct job *job)
{
        char pid[24];
        struct job_fence_text fence = job_fence_params(job);
        (void)snprintf(pid, sizeof(pid), "%ld", (long)job->agent);
        const char *params[] = {
                fence.job, fence.epoch, job->claim.token, pid, job->dir.log, job->base_sha, NULL, NULL, NULL};
        job->request = db_query(job->host->db, &Q_JOB_STARTED, params, STARTED_DEADLINE_MS,
                                on_started_recorded, job);
}

static void on_started(struct job *job)
{
        log_info(EV("job.started"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                 LF_S("work_item", job->claim.work_item), LF_S("role", job->claim.role),
                 LF_I("agent", job->agent), LF_S("log", job->dir.log));
        if (job->stop == JOB_STOP_LEAVE)
                job_let_go(job); /* an heir records which agent there is */
        else
                record_started(job);
}

bool job_agent_is_beginning(const struct job *job)
{
        return job->state == JOB_RUNNING && job->shim != NULL && job->agent == 0;
}

/* Longer than the shim takes with all of its bounds. */
static void arm_bound(struct job *job)
{
        const struct options *opt = job->host->opt;
        loop_timer_arm(job->timer,
                       opt->agent_timeout_ms + 2 * opt->agent_kill_grace_seconds * 1000 + SHIM_SLACK_MS);
}

/* The shim's clocks stand still with its agent, and so does ours. */
static void on_frozen(struct job *job)
{
        loop_timer_disarm(job->timer);
        log_warning(EV("agent.frozen"), LF_I("job", job->claim.job), LF_I("agent", job->agent),
                    LF_S("reason", "no heartbeat was confirmed for too long"),
                    LF_S("then", "it goes on with the next one that is"));
}

/* Not only by a thaw: a frozen agent may be killed where it stands. */
static void on_no_longer_frozen(struct job *job, enum shim_state state)
{
        arm_bound(job);
        if (state == SHIM_RUNNING)
                log_info(EV("agent.thawed"), LF_I("job", job->claim.job), LF_I("agent", job->agent));
}

static void on_state(struct job *job, enum shim_state state)
{
        bool was_frozen = !loop_timer_armed(job->timer);
        job->at_rest = state == SHIM_FROZEN || state == SHIM_ENDED;
        if (state == SHIM_FROZEN && !was_frozen)
                on_frozen(job);
        else if (state != SHIM_FROZEN && was_frozen)
                on_no_longer_frozen(job, state);
        if (state == SHIM_ENDED)
                loop_timer_arm(job->timer, SHIM_ENDED_MS);
}

/* The claim is good as of the newest beat: a shim that has frozen its agent lets it go on. Its starter may
 * have died before it could say which agent there is. */
static void on_attached(struct job *job)
{
        job_set_state(job, JOB_RUNNING);
        evict_free(take_ptr(job->evict));
        arm_bound(job);
        log_info(EV("job.attached"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                 LF_I("agent", job->agent));
        job_agent_renew(job);
        if (job->agent > 0)
                record_started(job);
}

static void on_linked(struct job *job, const struct shim_news *news)
{
        job->agent = news->agent;
        if (job->state == JOB_ATTACHING)
                on_attached(job);
        on_state(job, news->state);
}

/* Of our own child the exit tells. Of another's shim the lock tells, and that is looked at again. */
static void on_unlinked(struct job *job)
{
        shim_link_free(take_ptr(job->link));
        job->at_rest = false;
        if (job->shim != NULL)
                return;
        if (job->state != JOB_ATTACHING)
                job_set_state(job, JOB_ATTACHING);
        loop_timer_arm(job->timer, ATTACH_RETRY_MS);
}

static void on_shim_news(void *arg, const struct shim_news *news)
{
        struct job *job = arg;
        switch (news->event) {
        case SHIM_LINKED:
                on_linked(job, news);
                return;
        case SHIM_CHANGED:
                on_state(job, news->state);
                return;
        case SHIM_STARTED:
                on_started(job);
                return;
        case SHIM_LOCKED_OUT:
                job->locked_out = true;
                return;
        case SHIM_NOBODY:
        case SHIM_GONE:
        case SHIM_GARBAGE:
                on_unlinked(job);
                return;
        }
}

void job_agent_link(struct job *job, int fd)
{
        job->link = shim_link_take(job->host->loop, fd, on_shim_news, job);
        arm_bound(job);
}

/* For saying something: found again by its socket, should it have been lost. */
static struct shim_link *link_of(struct job *job)
{
        if (job->link == NULL)
                job->link = shim_link_connect(job->host->loop, job->dir.path, on_shim_news, job);
        return job->link;
}

void job_agent_connect(struct job *job)
{
        (void)link_of(job);
}

void job_agent_renew(struct job *job)
{
        shim_link_renew(link_of(job), job->confirmed_ms);
}

void job_agent_stop(struct job *job)
{
        if (job->stop == JOB_STOP_FENCED)
                shim_link_kill(link_of(job));
        else
                shim_link_cancel(link_of(job));
}

/* The lock may be held by the shim of another claim of this job, which is over then. */
void job_agent_attach(struct job *job)
{
        int locked = run_dir_is_locked(&job->dir);
        if (job->state != JOB_ATTACHING)
                job_set_state(job, JOB_ATTACHING);
        if (locked == 0) {
                job_agent_ended(job, "has died");
                return;
        }
        if (job->evict == NULL)
                job->evict =
                        evict_others(job->host->loop, job->host->state_dir, job->claim.job, job->claim.epoch);
        (void)link_of(job);
        if (job->stop != JOB_STOP_NONE)
                job_agent_stop(job);
}

/* A status on disk means that its duty is done: what it still waits for are processes that cannot be killed.
 */
void job_agent_hangs(struct job *job)
{
        struct run_status st;
        struct errinfo err = ERRINFO_INIT;
        if (run_status_read(job->dir.status, &st, &err) == 0) {
                job_agent_ended(job, "does not end");
                return;
        }
        log_error(EV("shim.hangs"), LF_I("job", job->claim.job), LF_I("agent", job->agent),
                  LF_S("then", job->shim_asked ? "it is killed" : "it is asked to kill its agent"));
        if (job->shim_asked)
                job_shim_kill(job);
        else
                shim_link_kill(link_of(job));
        job->shim_asked = true;
        loop_timer_arm(job->timer, SHIM_LAST_MS);
}

static void on_ended(struct job *job, const struct run_status *st)
{
        (void)run_status_log_tail(job->dir.log, LOG_EXCERPT_BYTES,
                                  &job->report.log_excerpt); /* none: no excerpt */
        if (st->survivors > 0)
                log_error(EV("agent.survivors"), LF_I("job", job->claim.job),
                          LF_I("processes", st->survivors),
                          LF_S("hint", "they could not be killed; look for processes in state D"));
        job->status = *st;
        job_follow_rest(job);
}

static void judge(struct job *job)
{
        const struct agent_end end = {
                .status = &job->status,
                .facts = job->events != NULL ? claude_facts(job->events) : NULL,
                .text = job->events != NULL ? claude_text(job->events) : job->report.log_excerpt.buf,
                .patterns = job->host->opt->agent_transient_patterns,
                .command = job_agent_command(job),
                .resumed = job->resumes[0] != '\0',
        };
        bool good = agent_judge(&job->report, &end);
        if (good && agent_was_late(&end))
                log_warning(EV("agent.late-exit"), LF_I("job", job->claim.job),
                            LF_I("epoch", job->claim.epoch),
                            LF_S("reason", "it had said its result and did not end"),
                            LF_S("then", "it was ended; the result counts"));
        if (job->report.session_retired != NULL)
                log_warning(EV("session.retired"), LF_I("job", job->claim.job), LF_S("session", job->resumes),
                            LF_S("reason", job->report.session_retired),
                            LF_S("then", "the next run begins anew"));
        job_collect(job);
}

void job_agent_judge(struct job *job)
{
        if (job->stop >= JOB_STOP_CANCELLED) {
                job_follow_note(job);
                job_record(job);
        } else if (claim_shell_command(&job->claim) != NULL) {
                job_ci_ended(job, &job->status);
        } else {
                judge(job);
        }
}

void job_agent_ended(struct job *job, const char *how)
{
        struct run_status st;
        struct errinfo err = ERRINFO_INIT;
        db_request_forget(take_ptr(job->request));
        shim_link_free(take_ptr(job->link));
        evict_free(take_ptr(job->evict));
        if (job->shim != NULL)
                proc_forget(take_ptr(job->shim));
        int r = run_status_read(job->dir.status, &st, &err);
        if (job->locked_out) {
                job_conclude(job, REPORT_TRANSIENT,
                             "an earlier run of this job has not ended yet on this host");
        } else if (r == -ENOENT) {
                job_follow_note(job);
                report_outcome(&job->report, REPORT_TRANSIENT, "orch-shim left no status: it %s", how);
                job_hunt(job);
        } else if (r < 0) { /* nor is it known that the shim did its duty to the end */
                report_outcome(&job->report, REPORT_TRANSIENT, "what orch-shim left is no status: %s",
                               err.text);
                job_hunt(job);
        } else {
                on_ended(job, &st);
        }
}
