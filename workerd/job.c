/* job.c - the state machine of a job: moves, stops, retries, the end. The steps are in the other job_*.c. */
#include "workerd/job_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/claim_name.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/proc.h"
#include "workerd/commit.h"
#include "workerd/evict.h"
#include "workerd/landing.h"
#include "workerd/leftovers.h"
#include "workerd/mirror.h"
#include "workerd/rebase.h"
#include "workerd/shell_command.h"
#include "workerd/shim_link.h"
#include "workerd/tree.h"
#include "workerd/test_changes.h"
#include "workerd/verdict.h"

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 30000
#define RETRIES_MAX  20 /* about five minutes */

static const struct {
        const char *name;
        int yields_to;
        unsigned leads_to;
} states[] = {
#define X(id, name, yields_to, leads_to) [JOB_##id] = {(name), (int)(yields_to), (leads_to)},
        JOB_STATES(X)
#undef X
};

void job_set_state(struct job *job, enum job_state next)
{
        unsigned always = job->state < JOB_RECORDING ? TO(RECORDING) | TO(ENDED) : TO(ENDED);
        assert(job->state != JOB_ENDED);
        assert(((states[job->state].leads_to | always) & (1u << next)) != 0);
        log_debug(EV("job.state"), LF_I("job", job->claim.job), LF_S("from", states[job->state].name),
                  LF_S("to", states[next].name));
        job->state = next;
        loop_timer_disarm(job->timer);
}

static void drop_operations(struct job *job)
{
        mirror_cancel(take_ptr(job->mirror_op));
        commit_cancel(take_ptr(job->commit_op));
        tree_cancel(take_ptr(job->tree_op));
        tree_remove_cancel(take_ptr(job->tree_remove));
        test_changes_cancel(take_ptr(job->test_changes_op));
        verdict_cancel(take_ptr(job->verdict_op));
        rebase_cancel(take_ptr(job->rebase_op));
        landing_look_cancel(take_ptr(job->look_op));
        landing_verify_cancel(take_ptr(job->verify_op));
        git_push_cancel(take_ptr(job->push_op));
        forge_cancel(job->forge, take_ptr(job->forge_call));
        shell_command_cancel(take_ptr(job->check));
        if (job->hunter != NULL)
                proc_forget(take_ptr(job->hunter)); /* it ends by itself, within seconds */
        db_request_forget(take_ptr(job->request));
}

/* What was configured when it was started may have changed; the session says that it has events. */
static void take_session(struct job *job)
{
        const struct claim *c = &job->claim;
        if (c->session == NULL)
                return;
        job->adapter = ADAPTER_CLAUDE;
        (void)snprintf(job->session, sizeof(job->session), "%s", c->session);
        (void)snprintf(job->resumes, sizeof(job->resumes), "%s", c->resumes != NULL ? c->resumes : "");
        job_follow_begin(job);
}

static void adopt(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        take_session(job);
        if (leftovers_mark(&job->dir, &err) < 0)
                log_warning(EV("job.not-marked"), LF_I("job", job->claim.job), LF_ERR(&err),
                            LF_S("then", "its folder is removed when it ends"));
        job_agent_attach(job);
}

static void begin(struct job *job)
{
        if (job->report.outcome != REPORT_NONE)
                job_record(job); /* its claim made no sense */
        else if (job->adopted && job_acceptable(job))
                adopt(job);
        else if (job->adopted)
                return; /* concluded */
        else if (job->claim.kind == CLAIM_INTEGRATE)
                job_integrate(job);
        else if (job->claim.kind == CLAIM_MERGE)
                job_merge(job);
        else if (job->claim.kind == CLAIM_DEPLOY)
                job_deploy(job);
        else if (job->claim.kind == CLAIM_FINALIZE)
                job_finalize(job);
        else
                job_prepare(job);
}

static void on_timer(void *arg)
{
        struct job *job = arg;
        switch (job->state) {
        case JOB_NEW:
                begin(job);
                return;
        case JOB_ATTACHING:
                job_agent_attach(job);
                return;
        case JOB_STARTING:
                job_start(job);
                return;
        case JOB_RUNNING:
                job_agent_hangs(job);
                return;
        case JOB_READING:
                job_follow_on(job);
                return;
        case JOB_HUNTING:
                job_hunt(job);
                return;
        case JOB_BEGINNING:
                job_conclude(job, REPORT_SUCCESS, "the deploy was started; its shim does not answer");
                return;
        case JOB_AWAITING:
                job_finalize_look(job);
                return;
        case JOB_RETRYING:
                job->again(job);
                return;
        case JOB_RECORDING:
                job_record_again(job);
                return;
        case JOB_CLEANING:
                job_set_state(job, JOB_ENDED);
                job->fn(job->arg, job);
                return;
        case JOB_ENDED:
                job->fn(job->arg, job);
                return;
        default:
                assert(false);
        }
}

struct job *job_new(const struct job_host *host, struct claim *claim, const char *refused, job_done_fn *fn,
                    void *arg)
{
        struct job *job = xcalloc(1, sizeof(*job));
        job->host = host;
        job->claim = *claim;
        *claim = (struct claim){.token = NULL};
        job->report = (struct report)REPORT_INIT;
        job->backoff = (struct backoff){.min_ms = RETRY_MIN_MS, .max_ms = RETRY_MAX_MS};
        job->fn = fn;
        job->arg = arg;
        claim_run_info(&job->claim, &job->info);
        run_dir_names(&job->dir, host->state_dir, job->claim.job, job->claim.epoch);
        job->continue_file = xasprintf("%s/continue.md", job->dir.path);
        job->timer = loop_timer_new(host->loop, on_timer, job);
        job->promise_timer = loop_timer_new(host->loop, job_promise_over, job);
        job_promise_make(job);
        loop_timer_soon(job->timer);
        if (refused != NULL)
                report_outcome(&job->report, REPORT_FAILED, "%s", refused);
        return job;
}

/* Where its run began: what the database was told then. The branch cannot have moved since: it is one job's
 * at a time. */
static void take_start(struct job *job)
{
        const struct claim *c = &job->claim;
        const char *base = c->base_sha != NULL ? c->base_sha : "";
        (void)git_oid_read(base, job->base_sha);
        (void)git_oid_read(c->head_sha != NULL ? c->head_sha : base, job->start_sha);
        job->info.base_sha = job->base_sha;
        job->info.start_sha = job->start_sha;
}

struct job *job_new_adopted(const struct job_host *host, struct claim *claim, const char *refused,
                            job_done_fn *fn, void *arg)
{
        struct job *job = job_new(host, claim, refused, fn, arg);
        job->adopted = true;
        job->launched = true;
        take_start(job);
        return job;
}

void job_free(struct job *job)
{
        if (job == NULL)
                return;
        drop_operations(job);
        job_follow_end(job);
        shim_link_free(job->link);
        evict_free(job->evict);
        if (job->shim != NULL)
                proc_forget(job->shim);
        forge_free(job->forge);
        loop_timer_free(job->timer);
        loop_timer_free(job->promise_timer);
        report_deinit(&job->report);
        argv_deinit(&job->test_changes);
        run_dir_deinit(&job->dir);
        run_dir_deinit(&job->deploy);
        free(job->deploy_command);
        free(job->check_command);
        free(job->deploy_sha);
        free(job->deploy_host);
        free(job->mirror);
        free(job->continue_file);
        free(job->land.said);
        claim_deinit(&job->claim);
        free(job);
}

int64_t job_id(const struct job *job)
{
        return job->claim.job;
}

bool job_is_among(const struct job *job, const struct claim_names *claims)
{
        return claim_names_have(claims, job->claim.job, job->claim.epoch, job->claim.token);
}

void job_let_go(struct job *job)
{
        log_info(EV("job.let-go"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                 LF_S("state", states[job->state].name));
        shim_link_free(take_ptr(job->link));
        if (job->shim != NULL)
                proc_forget(take_ptr(job->shim));
        job_set_state(job, JOB_ENDED);
        loop_timer_soon(job->timer);
}

static void end_early(struct job *job)
{
        drop_operations(job);
        if (job->stop == JOB_STOP_LEAVE && job->launched)
                job_let_go(job);
        else
                job_record(job);
}

void job_stop(struct job *job, enum job_stop why)
{
        static const char *const words[] = {"", "leave", "cancelled", "fenced"};
        if (why <= job->stop || job->state >= JOB_CLEANING)
                return;
        job->stop = why;
        log_info(EV("job.stopping"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                 LF_S("why", words[why]), LF_S("state", states[job->state].name));
        bool agent_lives = job->state == JOB_RUNNING || job->state == JOB_ATTACHING;
        if (agent_lives && why != JOB_STOP_LEAVE)
                job_agent_stop(job);
        else if (job_agent_is_beginning(job))
                return; /* let go when it has begun */
        else if ((int)why >= states[job->state].yields_to)
                end_early(job);
}

void job_confirmed(struct job *job, int64_t sent_ms)
{
        if (sent_ms > job->host->beat_ms)
                sent_ms = job->host->beat_ms;
        if (sent_ms > job->confirmed_ms)
                job->confirmed_ms = sent_ms;
        job_promise_confirmed(job);
        if (job->state == JOB_RUNNING && job->stop != JOB_STOP_FENCED) {
                job_agent_renew(job);
                job_follow(job);
        }
}

void job_conclude(struct job *job, enum report_outcome outcome, const char *fmt, ...)
{
        struct strbuf reason = STRBUF_INIT;
        va_list ap;
        va_start(ap, fmt);
        strbuf_vaddf(&reason, fmt, ap);
        va_end(ap);
        report_outcome(&job->report, outcome, "%s", reason.buf);
        strbuf_deinit(&reason);
        job_record(job);
}

void job_final(struct job *job, const char *why)
{
        job->report.final = true;
        job_conclude(job, REPORT_FAILED, "%s", why);
}

void job_retry(struct job *job, const char *what, const struct errinfo *err, void (*again)(struct job *job))
{
        if (job->stop != JOB_STOP_NONE) {
                end_early(job);
                return;
        }
        if (job->backoff.attempts >= RETRIES_MAX)
                job_conclude(job, REPORT_TRANSIENT, "%s: %s", what, err->text);
        else
                job_retry_on(job, what, err, again);
}

void job_retry_on(struct job *job, const char *what, const struct errinfo *err,
                  void (*again)(struct job *job))
{
        if (job->stop != JOB_STOP_NONE) {
                end_early(job);
                return;
        }
        int64_t wait_ms = backoff_next_ms(&job->backoff, backoff_random());
        log_warning(EV("job.retry"), LF_I("job", job->claim.job), LF_S("what", what), LF_ERR(err),
                    LF_I("attempt", job->backoff.attempts), LF_I("wait_ms", wait_ms));
        job->again = again;
        job_set_state(job, JOB_RETRYING);
        loop_timer_arm(job->timer, wait_ms);
}

void job_fence(struct job *job)
{
        metrics_count(METRIC_FENCED, 1);
        log_warning(EV("job.fenced"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                    LF_S("then", "nothing of this run is written"));
        job_stop(job, JOB_STOP_FENCED);
}

struct job_fence_text job_fence_params(const struct job *job)
{
        struct job_fence_text text;
        (void)snprintf(text.job, sizeof(text.job), "%" PRId64, job->claim.job);
        (void)snprintf(text.epoch, sizeof(text.epoch), "%" PRId64, job->claim.epoch);
        return text;
}

/* Once the end is being recorded, the claim may be gone because it was; the answer tells. */
void job_not_held(struct job *job)
{
        if (job->state < JOB_RECORDING && job->stop != JOB_STOP_FENCED)
                job_fence(job);
}
