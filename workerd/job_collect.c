/*
 * job_collect.c - what the agent left: commit, verdict, the question whether the claim is still ours, push.
 *
 * A run that failed is committed too, in our mirror only, for whoever looks for what it did. Exit 0 alone
 * proves nothing: the outcome is success only when what the role must leave is in the commit and on the
 * branch (P-7).
 */
#include "workerd/job_internal.h"

#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "queries.h"
#include "workerd/commit.h"
#include "workerd/verdict.h"

#define ASK_DEADLINE_MS  10000

#define PATHS_LOGGED_MAX 10 /* of each kind; the report has all of them */

static void log_refused(const struct job *job, const char *path)
{
        log_warning(EV("commit.refused-change"), LF_I("job", job->claim.job), LF_S("role", job->claim.role),
                    LF_S("path", path),
                    LF_S("then", "taken out of the commit: the file is not for this role to change"));
}

static void log_nested(const struct job *job, const char *path)
{
        log_warning(EV("commit.nested-repository"), LF_I("job", job->claim.job),
                    LF_S("role", job->claim.role), LF_S("path", path),
                    LF_S("then", "left as it was before the run"));
}

static void note_commit(struct job *job, const struct commit_result *res)
{
        report_commit(&job->report, res, job->claim.branch);
        for (size_t i = 0; res->refused != NULL && i < res->refused->n; i++) {
                argv_add(&job->report.refused, res->refused->words[i]);
                if (i < PATHS_LOGGED_MAX)
                        log_refused(job, res->refused->words[i]);
        }
        for (size_t i = 0; res->nested != NULL && i < res->nested->n && i < PATHS_LOGGED_MAX; i++)
                log_nested(job, res->nested->words[i]);
}

static void on_committed(void *arg, const struct commit_result *res)
{
        struct job *job = arg;
        job->commit_op = NULL;
        job->unsaved = res->outcome != COMMIT_OK;
        if (res->outcome == COMMIT_OK)
                note_commit(job, res);
        if (job->report.outcome != REPORT_NONE)
                job_record(job); /* a failed run, now kept */
        else if (res->outcome != COMMIT_OK)
                job_conclude(job, REPORT_FAILED, "what the agent left cannot be committed: %s",
                             res->err.text);
        else if (job->step->need == ROLE_NEEDS_CHANGE && !res->changed)
                job_conclude(job, REPORT_NOTHING_LEFT, "the agent exited with 0 and changed nothing");
        else
                job_judge(job);
}

static void commit(struct job *job)
{
        job_set_state(job, JOB_COMMITTING);
        job->commit_op = commit_make(job->host->git, &job->info, &job->dir, job->mirror, on_committed, job);
}

/* Whoever adopted the run does not know how far the worker before has come. */
void job_collect(struct job *job)
{
        if (job->adopted && job->report.outcome == REPORT_NONE)
                job_seek(job, commit);
        else
                commit(job);
}

static void judged(struct job *job)
{
        if (job->pushed_before) {
                job->report.pushed = true;
                job_conclude(job, REPORT_SUCCESS, "an earlier run of this job has pushed its work");
        } else {
                job_ask(job);
        }
}

static void on_judged(void *arg, const struct verdict_result *res)
{
        struct job *job = arg;
        job->verdict_op = NULL;
        switch (res->outcome) {
        case VERDICT_UNKNOWN:
                job_conclude(job, REPORT_TRANSIENT, "the commit could not be read: %s", res->err.text);
                return;
        case VERDICT_ABSENT:
                job_conclude(job, report_outcome_parse(verdict_missing_outcome(job->step)), "%s",
                             res->err.text);
                return;
        case VERDICT_OK:
                break;
        }
        for (size_t i = 0; i < res->n_evidence; i++)
                report_add_evidence(&job->report, &res->evidence[i], job->report.head_sha);
        judged(job);
}

static void judge(struct job *job)
{
        if (job_finalize_unknown(job)) { /* its file gives no verdict that a gate would take */
                const struct verdict_evidence evidence = {.gate = "deploy_ok", .value = "UNKNOWN"};
                report_add_evidence(&job->report, &evidence, job->report.head_sha);
                judged(job);
                return;
        }
        job->verdict_op = verdict_read(job->host->git, &job->info, job->step, job->mirror,
                                       job->report.head_sha, on_judged, job);
}

void job_judge(struct job *job)
{
        job_set_state(job, JOB_JUDGING);
        job_weigh(job, job->report.patch_base, job->report.head_sha, judge);
}

static void moved_by_others(struct job *job)
{
        job_conclude(job, REPORT_FAILED, "somebody else has pushed to the branch %s: it is at %s",
                     job->claim.branch, job->moved_to);
}

/* A push of an earlier life of this job may have arrived late: git may outlive the worker that started it. */
static void moved(struct job *job, const char *remote_sha)
{
        bool sought = job->moved_to[0] != '\0';
        (void)snprintf(job->moved_to, sizeof(job->moved_to), "%s",
                       remote_sha[0] != '\0' ? remote_sha : "(gone)");
        if (sought) {
                moved_by_others(job);
                return;
        }
        report_forget_evidence(&job->report);
        job_seek(job, moved_by_others);
}

static void on_pushed(void *arg, const struct git_push_result *res)
{
        struct job *job = arg;
        job->push_op = NULL;
        job_push_answered(job, res);
        switch (res->outcome) {
        case GIT_PUSH_OK:
                log_info(EV("job.pushed"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                         LF_S("branch", job->claim.branch), LF_S("sha", job->report.head_sha));
                job->report.pushed = true;
                job_conclude(job, REPORT_SUCCESS, "pushed to %s", job->claim.branch);
                return;
        case GIT_PUSH_MOVED:
                moved(job, res->remote_sha);
                return;
        case GIT_PUSH_REFUSED:
                job_conclude(job, REPORT_FAILED, "the push was refused: %s", res->err.text);
                return;
        case GIT_PUSH_UNAVAILABLE:
        case GIT_PUSH_UNKNOWN:
                job_push_failed(job, res);
                return;
        }
}

static void push(struct job *job)
{
        job_set_state(job, JOB_PUSHING);
        job->push_op =
                commit_push(job->host->git, &job->info, job->mirror, job->report.head_sha, on_pushed, job);
}

static void on_asked(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        job->request = NULL;
        if (res->outcome != DB_OK || db_rows(res) != 1)
                job_retry(job, "claim check", &res->err, job_ask);
        else if (!db_bool(res, 0, "held"))
                job_stop(job,
                         JOB_STOP_CANCELLED); /* or fenced: then recording it says so, and changes nothing */
        else if (job->claim.kind == CLAIM_INTEGRATE)
                job_integrate_asked(job);
        else if (job->claim.kind == CLAIM_MERGE)
                job_merge_asked(job);
        else
                push(job);
}

/* Says what is about to be done, and asks whether the claim is still ours: who was fenced meanwhile must not
 * do it, and whoever goes on after a crash has to know what was ours. That is a head to be pushed, a head to
 * be tested, or a merge with the base it was tested on. */
void job_ask(struct job *job)
{
        struct job_fence_text fence = job_fence_params(job);
        const char *what = "push", *head = job->report.head_sha;
        if (job->claim.kind == CLAIM_MERGE) {
                what = "merge";
                head = job->claim.head_sha;
        } else if (job->claim.kind == CLAIM_INTEGRATE) {
                what = job->land.push ? "push" : "test";
                head = job->land.head;
        }
        const char *params[] = {fence.job, fence.epoch, job->claim.token, what, head, job->land.base};
        job_set_state(job, JOB_ASKING);
        job->request = db_query(job->host->db, &Q_JOB_INTENT, params, ASK_DEADLINE_MS, on_asked, job);
}
