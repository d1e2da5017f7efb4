/*
 * job_follow.c - what an agent with events says of itself: read as its log grows, with each beat of the
 * worker, and to the end when it has ended. So what it used is known also when it is killed, and told now and
 * then, so that it is known when this host is lost.
 */
#include "workerd/job_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "queries.h"
#include "workerd/claude.h"
#include "workerd/log_follow.h"

#define READ_PER_BEAT    (4u << 20)
#define READ_PER_TURN    (1u << 20)
#define TELL_INTERVAL_MS 30000
#define TELL_DEADLINE_MS 10000

static void on_data(void *arg, const char *data, size_t len)
{
        claude_feed(arg, data, len);
}

static void on_gap(void *arg)
{
        claude_gap(arg);
}

void job_follow_begin(struct job *job)
{
        if (job->events != NULL || job->claim.kind != CLAIM_AGENT ||
            adapter_result_prefix(job->adapter) == NULL)
                return;
        job->events = claude_new(job->session[0] != '\0' ? job->session : NULL);
        const struct log_follow_fns fns = {.data = on_data, .gap = on_gap, .arg = job->events};
        job->follow = log_follow_new(job->dir.log, &fns);
}

void job_follow_end(struct job *job)
{
        log_follow_free(take_ptr(job->follow));
        claude_free(take_ptr(job->events));
}

static int64_t amount(const struct agent_usage *u)
{
        int64_t sum = u->cost_micro_usd;
        for (size_t i = 0; i < u->n_models; i++)
                sum += u->models[i].tokens.output + u->models[i].tokens.input;
        return sum;
}

static void on_told(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        (void)res; /* the end of the run tells it again */
        job->request = NULL;
}

static void tell(struct job *job)
{
        const struct agent_usage *usage = &claude_facts(job->events)->usage;
        int64_t now_ms = loop_now_ms(job->host->loop);
        if (job->request != NULL || usage->n_models == 0 || amount(usage) == job->usage_told ||
            now_ms - job->usage_told_ms < TELL_INTERVAL_MS)
                return;
        struct strbuf text = STRBUF_INIT;
        struct job_fence_text fence = job_fence_params(job);
        report_usage(usage, &text);
        const char *params[] = {fence.job, fence.epoch, job->claim.token, text.buf};
        job->usage_told = amount(usage);
        job->usage_told_ms = now_ms;
        job->request = db_query(job->host->db, &Q_RUN_USAGE, params, TELL_DEADLINE_MS, on_told, job);
        strbuf_deinit(&text);
}

void job_follow(struct job *job)
{
        if (job->follow == NULL)
                return;
        (void)log_follow_read(job->follow, READ_PER_BEAT);
        tell(job);
}

void job_follow_note(struct job *job)
{
        if (job->events == NULL)
                return;
        (void)log_follow_read(job->follow, READ_PER_BEAT);
        report_facts(&job->report, claude_facts(job->events));
}

void job_follow_rest(struct job *job)
{
        if (job->follow == NULL) {
                job_agent_judge(job);
                return;
        }
        log_follow_joined(job->follow, job->status.log_bytes);
        job_set_state(job, JOB_READING);
        loop_timer_soon(job->timer);
}

void job_follow_on(struct job *job)
{
        if (log_follow_read(job->follow, READ_PER_TURN)) {
                loop_timer_soon(job->timer);
                return;
        }
        claude_end(job->events);
        job_agent_judge(job);
}

/* ---- sessions ---- */

/* The newest of "EPOCH:SESSION ..." whose transcript is here. */
static void carry_session(struct job *job)
{
        _cleanup_(freep) char *list = xstrdup(job->claim.former_sessions);
        char *rest = NULL;
        for (char *word = strtok_r(list, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
                char *id = NULL;
                int64_t epoch = strtoll(word, &id, 10);
                if (*id != ':' || strlen(id + 1) >= sizeof(job->resumes) ||
                    !agent_session_carry(job->host->state_dir, job->claim.job, epoch, id + 1, &job->dir))
                        continue;
                memcpy(job->resumes, id + 1, strlen(id + 1) + 1);
                return;
        }
}

void job_session(struct job *job)
{
        if (job->session[0] != '\0' || adapter_result_prefix(job->adapter) == NULL)
                return; /* announced before, and tried again */
        agent_session_new(job->session);
        int r = agent_session_note(&job->dir, job->session);
        if (r < 0)
                log_warning(EV("session.not-noted"), LF_I("job", job->claim.job),
                            LF_S("error", log_errno_text(r)),
                            LF_S("then", "a later run of the job begins anew"));
        if (job->claim.former_sessions != NULL)
                carry_session(job);
}
