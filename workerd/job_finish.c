/*
 * job_finish.c - the end of a job: recorded in the database, then cleaned up on disk.
 *
 * job_finish is idempotent by its fence, so an answer that was lost is asked for again, for as long as it
 * takes; only "recorded" and "fenced" end it. Nothing on disk is removed before.
 */
#include "workerd/job_internal.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/leftovers.h"
#include "workerd/tree.h"

#define RECORD_DEADLINE_MS  10000
#define CONFIRM_DEADLINE_MS 2000

static void clean_next(struct job *job);

static void on_cleaned(void *arg, int r, const struct errinfo *err)
{
        struct job *job = arg;
        job->tree_remove = NULL;
        job->cleaned++;
        if (r < 0) {
                log_warning(EV("job.not-cleaned"), LF_I("job", job->claim.job), LF_S("path", job->dir.path),
                            LF_ERR(err), LF_S("then", "tried again later"));
                loop_timer_soon(job->timer); /* the owner file stays, so that the sweep finds it */
                return;
        }
        clean_next(job);
}

/* NULL: there is no more. Of a deploy that has ended the log and the status stay. */
static const char *part_to_clean(const struct job *job)
{
        bool deployed = job->claim.kind == CLAIM_FINALIZE && job->report.outcome == REPORT_SUCCESS;
        const char *const parts[] = {job->dir.tree,    job->dir.home,    job->dir.tmp,
                                     job->deploy.tree, job->deploy.home, job->deploy.tmp};
        return job->cleaned < (deployed ? ARRAY_SIZE(parts) : ARRAY_SIZE(parts) / 2) ? parts[job->cleaned]
                                                                                     : NULL;
}

static void clean_next(struct job *job)
{
        const char *part = part_to_clean(job);
        if (part != NULL) {
                job->tree_remove = tree_remove(job->host->loop, part, on_cleaned, job);
                return;
        }
        (void)unlink(job->dir.index); /* may never have been made */
        leftovers_unmark(&job->dir);
        loop_timer_soon(job->timer);
}

/* What could not be committed is nowhere else (C-3). */
static void keep_tree(struct job *job)
{
        log_warning(EV("job.tree-kept"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                    LF_S("path", job->dir.tree), LF_S("reason", "what the agent left was not committed"),
                    LF_S("then", "it stays until somebody removes it"));
        job->cleaned = 1; /* as if it were removed */
}

static void clean(struct job *job)
{
        job_set_state(job, JOB_CLEANING);
        agent_session_keep(&job->dir);
        if (job->unsaved)
                keep_tree(job);
        clean_next(job);
}

static void count_end(const struct job *job)
{
        switch (job->report.outcome) {
        case REPORT_SUCCESS:
                metrics_count(METRIC_JOBS_DONE, 1);
                return;
        case REPORT_CANCELLED:
                metrics_count(METRIC_JOBS_CANCELLED, 1);
                return;
        default:
                metrics_count(METRIC_JOBS_FAILED, 1);
        }
}

static void recorded(struct job *job)
{
        const char *reason = job->report.reason != NULL ? job->report.reason : "";
        count_end(job);
        log_info(EV("job.ended"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                 LF_S("work_item", job->claim.work_item), LF_S("role", job->claim.role),
                 LF_S("outcome", report_outcome_word(job->report.outcome)), LF_S("reason", reason));
        clean(job);
}

static void record_later(struct job *job, const struct errinfo *err)
{
        int64_t wait_ms = backoff_next_ms(&job->backoff, backoff_random());
        log_warning(EV("job.end-not-recorded"), LF_I("job", job->claim.job), LF_ERR(err),
                    LF_I("wait_ms", wait_ms), LF_S("then", "tried again"));
        loop_timer_arm(job->timer, wait_ms);
}

/* The database runs and does not take the report: ours is wrong, or its schema. The bare fact is tried
 * instead, so that the job does not hang for ever. */
static void refused(struct job *job, const struct errinfo *err)
{
        log_error(EV("job.report-refused"), LF_I("job", job->claim.job), LF_ERR(err),
                  LF_S("hint", "does orchctl migrate have something to do?"));
        if (job->finish_refused++ == 0) {
                report_deinit(&job->report);
                report_outcome(&job->report, REPORT_FAILED, "its report was refused by the database: %s",
                               err->text);
        }
        record_later(job, err);
}

/* The report is good; the database could not take it now. A lock was not free in time, or somebody cancelled
 * the statement: neither says anything about the run. */
static bool is_passing(const char *sqlstate)
{
        return db_advice(sqlstate) != DB_ADVICE_NONE || strcmp(sqlstate, "55P03") == 0 ||
               strcmp(sqlstate, "57014") == 0;
}

static void on_recorded(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        job->request = NULL;
        if (res->outcome == DB_SQL_ERROR && !is_passing(res->err.code))
                refused(job, &res->err);
        else if (res->outcome != DB_OK || db_rows(res) != 1)
                record_later(job, &res->err);
        else if (strcmp(db_text(res, 0, "answer"), "recorded") == 0)
                recorded(job);
        else
                job_fence(job);
}

static void finish(struct job *job)
{
        struct strbuf report = STRBUF_INIT;
        struct job_fence_text fence = job_fence_params(job);
        report_write(&job->report, &report);
        const char *params[] = {fence.job, fence.epoch, job->claim.token,
                                report_outcome_word(job->report.outcome), report.buf};
        job->request = db_query(job->host->db, &Q_JOB_FINISH, params, RECORD_DEADLINE_MS, on_recorded, job);
        strbuf_deinit(&report);
}

static void on_released(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        job->request = NULL;
        if (res->outcome != DB_OK || db_rows(res) != 1) {
                record_later(job, &res->err);
                return;
        }
        log_info(EV("job.released"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                 LF_S("held", db_bool(res, 0, "released") ? "yes" : "no, fenced"));
        clean(job);
}

static void release(struct job *job)
{
        struct job_fence_text fence = job_fence_params(job);
        const char *params[] = {fence.job, fence.epoch, job->claim.token, "the worker is shutting down"};
        job->request = db_query(job->host->db, &Q_JOB_RELEASE, params, RECORD_DEADLINE_MS, on_released, job);
}

static void on_confirmed(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        (void)res; /* if it was not heard, the job waits a while longer */
        job->request = NULL;
        clean(job);
}

/* The job was taken back by force, and waits for our promise, or this word: nothing acts under the old claim
 * any more. It is said with the old token, so that it can do nothing else. */
static void confirm_gone(struct job *job)
{
        struct job_fence_text fence = job_fence_params(job);
        const char *params[] = {fence.job, fence.epoch, job->claim.token, "its agent is gone"};
        if (db_is_up(job->host->db))
                job->request = db_query(job->host->db, &Q_JOB_RELEASE, params, CONFIRM_DEADLINE_MS,
                                        on_confirmed, job);
        else
                clean(job);
}

void job_record_again(struct job *job)
{
        if (job->report.outcome == REPORT_NONE)
                release(job);
        else
                finish(job);
}

void job_record(struct job *job)
{
        job_set_state(job, JOB_RECORDING);
        if (job->stop == JOB_STOP_FENCED) {
                confirm_gone(job);
                return;
        }
        if (job->stop == JOB_STOP_CANCELLED)
                report_outcome(&job->report, REPORT_CANCELLED, "cancelled while it was under way");
        job->backoff.attempts = 0;
        job_record_again(job);
}
