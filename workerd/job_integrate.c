/*
 * job_integrate.c - role integrator: the branch on top of the default branch, tested as it then is (M-1).
 *
 * Fetch, rebase, push with lease, test, and look again: a default branch that moved meanwhile makes the test
 * worthless, and the job runs again. What is pushed is told to the database before, so that whoever goes on
 * after a crash knows the head for ours. A conflict and a red test are answers, not failures of the job: the
 * gate sends the task back (M-2).
 */
#include "workerd/job_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "workerd/commit.h"
#include "workerd/mirror.h"
#include "workerd/rebase.h"
#include "workerd/verdict.h"

#define LOOKS_MAX 5 /* at a branch that is elsewhere at each push */

static void rebase(struct job *job);

static void conclude(struct job *job, const char *value, const char *why)
{
        const struct verdict_evidence evidence = {.gate = "merge_ready", .value = value};
        report_add_evidence(&job->report, &evidence, job->land.head);
        report_base(&job->report, job->land.base);
        job_conclude(job, REPORT_SUCCESS, "%s", why);
}

static void ready(struct job *job)
{
        _cleanup_(freep) char *why =
                xasprintf("the branch is at %s, on %s at %s%s", job->land.head, job->claim.default_branch,
                          job->land.base, job->land.test ? ", and its test is green" : "");
        conclude(job, "ready", why);
}

static void moved(struct job *job, const char *sha, const char *why)
{
        _cleanup_(freep) char *text = xasprintf("%s: %s is at %s, not at %s", why, job->claim.branch,
                                                sha[0] != '\0' ? sha : "(nothing)", job->info.head_sha);
        job_final(job, text);
}

/* ---- what the head is made of ---- */

static void on_described(void *arg, const struct commit_result *res)
{
        struct job *job = arg;
        job->commit_op = NULL;
        if (res->outcome != COMMIT_OK) {
                job_conclude(job, REPORT_TRANSIENT, "the branch could not be read: %s", res->err.text);
                return;
        }
        report_commit(&job->report, res, job->claim.branch);
        job->report.pushed = !job->land.push;
        job->land.described(job);
}

static void describe(struct job *job, void (*next)(struct job *job))
{
        job_set_state(job, JOB_DESCRIBING);
        job->land.described = next;
        job->commit_op = commit_describe(job->host->git, &job->info, &job->dir, job->mirror, job->land.head,
                                         on_described, job);
}

/* ---- rebase, before the test and after it ---- */

static bool is_new(const struct job *job)
{
        return strcmp(job->land.head, job->claim.head_sha) != 0;
}

/* Head and base as they are found now. */
static void take(struct job *job, const struct rebase_result *res)
{
        memcpy(job->land.head, res->sha, GIT_OID_SIZE);
        memcpy(job->land.base, res->base_sha, GIT_OID_SIZE);
        memcpy(job->land.remote, res->head_sha, GIT_OID_SIZE);
        job->info.head_sha = job->land.remote;
        job->land.push = res->changed;
        job->land.test = res->outcome == REBASE_OK && (is_new(job) || !job->claim.tested);
}

static void rebased(struct job *job, const struct rebase_result *res)
{
        take(job, res);
        if (is_new(job))
                describe(job, job->land.push || job->land.test ? job_ask : ready);
        else if (job->land.test)
                job_ask(job);
        else
                ready(job);
}

static void judged(struct job *job);

/* The branch stays where it is: that may be a head that an earlier life of the job has pushed. */
static void conflicted(struct job *job, const struct rebase_result *res)
{
        memcpy(job->land.head, res->head_sha, GIT_OID_SIZE);
        memcpy(job->land.base, res->base_sha, GIT_OID_SIZE);
        job->land.green = false;
        job->land.said = xstrdup(res->err.text);
        if (is_new(job))
                describe(job, judged);
        else
                judged(job);
}

static void looked_again(struct job *job, const struct rebase_result *res)
{
        if (res->outcome == REBASE_MERGED || strcmp(res->base_sha, job->land.base) == 0)
                ready(job);
        else
                job_conclude(job, REPORT_BASE_MOVED, "%s went from %s to %s while the branch was tested",
                             job->claim.default_branch, job->land.base, res->base_sha);
}

static void on_rebased(void *arg, const struct rebase_result *res)
{
        struct job *job = arg;
        job->rebase_op = NULL;
        switch (res->outcome) {
        case REBASE_OK:
        case REBASE_MERGED:
                if (job->land.green)
                        looked_again(job, res);
                else
                        rebased(job, res);
                return;
        case REBASE_CONFLICT:
                conflicted(job, res);
                return;
        case REBASE_MOVED:
                moved(job, res->head_sha, res->err.text);
                return;
        case REBASE_REFUSED:
                job_final(job, res->err.text);
                return;
        case REBASE_FAILED:
                mirror_suspect(job->mirror);
                job_conclude(job, REPORT_TRANSIENT, "the branch could not be rebased: %s", res->err.text);
                return;
        }
}

static void rebase(struct job *job)
{
        const struct rebase_spec spec = {
                .mirror = job->mirror, .pushing = job->claim.pushing, .always = job->claim.rebase_always};
        job_set_state(job, JOB_REBASING);
        job->rebase_op = rebase_start(job->host->git, &job->info, &spec, on_rebased, job);
}

void job_integrate(struct job *job)
{
        if (job_acceptable(job))
                job_fetch(job, rebase);
}

/* ---- push ---- */

static void on_pushed(void *arg, const struct git_push_result *res)
{
        struct job *job = arg;
        job->push_op = NULL;
        job_push_answered(job, res);
        switch (res->outcome) {
        case GIT_PUSH_OK:
                log_info(EV("job.pushed"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                         LF_S("branch", job->claim.branch), LF_S("sha", job->land.head));
                job->report.pushed = true;
                job->land.push = false;
                job->info.head_sha = job->land.head;
                job_cut(job);
                return;
        case GIT_PUSH_MOVED: /* perhaps by a push of an earlier life of the job that arrives late */
                if (++job->land.looks < LOOKS_MAX) {
                        job->info.head_sha = job->claim.head_sha;
                        job_fetch(job, rebase);
                } else {
                        moved(job, res->remote_sha, "somebody else pushes to the branch");
                }
                return;
        case GIT_PUSH_REFUSED:
                job_final(job, res->err.text);
                return;
        case GIT_PUSH_UNAVAILABLE:
        case GIT_PUSH_UNKNOWN:
                job_push_failed(job, res);
                return;
        }
}

void job_integrate_asked(struct job *job)
{
        if (!job->land.push) {
                job_cut(job);
                return;
        }
        job_set_state(job, JOB_PUSHING);
        job->push_op = commit_push(job->host->git, &job->info, job->mirror, job->land.head, on_pushed, job);
}

/* ---- the test ---- */

static void judged(struct job *job)
{
        if (job->land.green)
                job_fetch(job, rebase);
        else
                conclude(job, "failed", job->land.said);
}

/* Whoever adopted the run knows from the database what is being tested. */
static void take_up(struct job *job)
{
        const struct claim *c = &job->claim;
        if (!git_oid_read(c->run_head != NULL ? c->run_head : c->head_sha, job->land.head) ||
            !git_oid_read(c->base_sha != NULL ? c->base_sha : "", job->land.base))
                job->land.base[0] = '\0'; /* then the base has moved, whatever it is */
        job->land.test = true;
}

void job_integrate_tested(struct job *job, bool green, const char *said)
{
        if (job->land.head[0] == '\0')
                take_up(job);
        job->info.head_sha = job->land.head;
        job->land.green = green;
        if (!green)
                job->land.said = xstrdup(said);
        describe(job, judged);
}
