/* slots.c - a list of jobs, and what is done to all of them. */
#include "workerd/slots.h"

#include <stdlib.h>

#include "common/claim_name.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/process_row.h"
#include "common/strbuf.h"
#include "workerd/claim.h"

struct slots {
        struct job_host *host;
        struct job **jobs;
        size_t n;
        void (*on_change)(void *arg);
        void *arg;
};

struct slots *slots_new(struct job_host *host, void (*on_change)(void *arg), void *arg)
{
        struct slots *s = xcalloc(1, sizeof(*s));
        *s = (struct slots){.host = host, .on_change = on_change, .arg = arg};
        return s;
}

void slots_free(struct slots *s)
{
        if (s == NULL)
                return;
        for (size_t i = 0; i < s->n; i++)
                job_free(s->jobs[i]);
        free(s->jobs);
        free(s);
}

size_t slots_n(const struct slots *s)
{
        return s->n;
}

static void changed(struct slots *s)
{
        metrics_set(METRIC_JOBS_RUNNING, (int64_t)s->n);
        s->on_change(s->arg);
}

static void on_job_done(void *arg, struct job *job)
{
        struct slots *s = arg;
        for (size_t i = 0; i < s->n; i++) {
                if (s->jobs[i] != job)
                        continue;
                s->jobs[i] = s->jobs[--s->n];
                break;
        }
        job_free(job);
        changed(s);
}

static void log_taken(const struct claim *claim, bool adopted)
{
        if (adopted) {
                metrics_count(METRIC_JOBS_ADOPTED, 1);
                log_info(EV("job.adopted"), LF_I("job", claim->job), LF_I("epoch", claim->epoch),
                         LF_S("work_item", claim->work_item), LF_S("role", claim->role),
                         LF_I("attempt", claim->attempt));
                return;
        }
        metrics_count(METRIC_JOBS_CLAIMED, 1);
        log_info(EV("job.claimed"), LF_I("job", claim->job), LF_I("epoch", claim->epoch),
                 LF_S("work_item", claim->work_item), LF_S("role", claim->role),
                 LF_I("attempt", claim->attempt));
}

void slots_take(struct slots *s, const struct db_result *res, int row, bool adopted, int64_t asked_ms,
                enum job_stop why)
{
        struct claim claim;
        struct errinfo err = ERRINFO_INIT;
        int r = claim_read(&claim, res, row, &err);
        const char *refused = r < 0 ? err.text : NULL;
        log_taken(&claim, adopted);
        struct job *job = adopted ? job_new_adopted(s->host, &claim, refused, on_job_done, s)
                                  : job_new(s->host, &claim, refused, on_job_done, s);
        job_confirmed(job, asked_ms);
        s->jobs = xrealloc(s->jobs, (s->n + 1) * sizeof(struct job *));
        s->jobs[s->n++] = job;
        changed(s);
        if (why != JOB_STOP_NONE)
                job_stop(job, why);
}

/* Statements are answered in order, so whatever is in hand now was ours before the beat, unless it was taken
 * away: and then nothing lengthens the life of its agent. */
void slots_beat(struct slots *s, const struct process_beat *beat)
{
        s->host->beat_ms = beat->sent_ms;
        for (size_t i = s->n; i-- > 0;) {
                struct job *job = s->jobs[i];
                if (!job_is_among(job, beat->held_claims)) {
                        job_not_held(job);
                        continue;
                }
                if (process_row_has(&beat->stop_jobs, job_id(job)))
                        job_stop(job, JOB_STOP_CANCELLED);
                job_confirmed(job, beat->sent_ms);
        }
}

void slots_stop(struct slots *s, enum job_stop why)
{
        for (size_t i = s->n; i-- > 0;)
                job_stop(s->jobs[i], why);
}

void slots_drop(struct slots *s)
{
        for (size_t i = 0; i < s->n; i++)
                job_free(s->jobs[i]);
        s->n = 0;
        changed(s);
}

static bool knows(const struct slots *s, struct claim_name *name)
{
        const struct claim_names one = {.names = name, .n = 1};
        for (size_t i = 0; i < s->n; i++)
                if (job_is_among(s->jobs[i], &one))
                        return true;
        return false;
}

void slots_unknown(const struct slots *s, const struct claim_names *named, struct strbuf *sb)
{
        for (size_t i = 0; i < named->n; i++)
                if (!knows(s, &named->names[i]))
                        claim_name_add(sb, &named->names[i]);
}
