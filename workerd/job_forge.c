/*
 * job_forge.c - a forge that is asked over a network, and is away, or does not take our token (I-7).
 *
 * Its endpoint is told, so that people are, and nobody else begins in vain. A job with work to lose asks for
 * as long as it takes; any other one goes back to the queue, where it waits for the endpoint and has used up
 * no attempt.
 */
#include "workerd/job_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "queries.h"

#define NOTE_DEADLINE_MS 5000

void job_forge_answered(struct job *job)
{
        if (job->claim.server != NULL)
                report_forge(&job->report, port_outcome_name(PORT_OK), -1);
}

void job_push_answered(struct job *job, const struct git_push_result *res)
{
        if (res->outcome != GIT_PUSH_UNAVAILABLE && res->outcome != GIT_PUSH_UNKNOWN)
                job_forge_answered(job);
}

static void ignore(void *arg, const struct db_result *res)
{
        (void)arg; /* a word for others: the next try says it again */
        (void)res;
}

/* While we go on asking, others wait. */
static void note(struct job *job, const struct errinfo *err)
{
        struct job_fence_text fence = job_fence_params(job);
        char after[24];
        (void)snprintf(after, sizeof(after), "%" PRId64, job->report.forge_retry_s);
        const char *params[] = {fence.job,        fence.epoch,
                                job->claim.token, job->report.forge_said,
                                err->text,        job->report.forge_retry_s >= 0 ? after : NULL};
        db_query(job->host->db, &Q_FORGE_NOTE, params, NOTE_DEADLINE_MS, ignore, NULL);
}

void job_forge_away(struct job *job, const char *what, const struct port_answer *answer,
                    void (*again)(struct job *job))
{
        if (job->claim.server == NULL || !port_waits(answer->outcome)) {
                job_retry(job, what, &answer->err, again);
                return;
        }
        report_forge(&job->report, port_outcome_name(answer->outcome), answer->retry_after_s);
        if (!job->launched && job->claim.kind != CLAIM_FINALIZE) {
                job_conclude(job, REPORT_TRANSIENT, "%s: %s", what, answer->err.text);
                return;
        }
        note(job, &answer->err);
        job_retry_on(job, what, &answer->err, again);
}

void job_push_failed(struct job *job, const struct git_push_result *res)
{
        const struct port_answer answer = {.outcome = res->said, .retry_after_s = -1, .err = res->err};
        job_forge_away(job, "push", &answer, job_ask);
}
