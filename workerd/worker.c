/* worker.c - claims, slots, stops, drain. What a job is, is in job*.c. */
#include "workerd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/git.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/process_row.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/effects.h"
#include "workerd/events.h"
#include "workerd/job.h"
#include "workerd/leftovers.h"

#define STATEMENT_DEADLINE_MS 10000
#define SLOTS_MAX             256
#define QUICK_LEAVE_MS        3000 /* beyond the agents' grace: for recording, while the database answers */
#define GIT_PATH              "/usr/local/bin:/usr/bin:/bin"
#define GIT_PROTOCOLS         "file:https"

enum worker_state {
        WORKER_STARTING, /* waits for its row */
        WORKER_LIVE,     /* takes work */
        WORKER_DRAINING, /* takes none; waits for jobs and effects; quick: timer */
        WORKER_FENCED,   /* waits for the stopped agents; timer */
        WORKER_LEAVING,  /* waits for the row to end */
        WORKER_GONE,
};

struct worker {
        struct worker_config cfg;
        enum worker_state state;
        struct job_host host;
        char *state_dir, *shim;
        struct process_row *row;
        struct events *events;
        struct effects *effects;
        struct leftovers *leftovers;
        struct loop_timer *timer;
        struct db_request *claim; /* NULL when idle */
        struct db_request *holds; /* NULL when idle */
        bool unsure;              /* we may hold claims that we do not know of */
        struct job *jobs[SLOTS_MAX];
        size_t n_jobs;
};

static void claim_job(struct worker *w);

static void left(void *arg)
{
        struct worker *w = arg;
        bool fenced = w->state == WORKER_FENCED;
        w->state = WORKER_GONE;
        w->cfg.on_gone(w->cfg.arg, fenced);
}

static void leave(struct worker *w)
{
        loop_timer_disarm(w->timer);
        if (w->state == WORKER_FENCED) {
                left(w);
                return;
        }
        w->state = WORKER_LEAVING;
        process_row_leave(w->row, left, w);
}

static void leave_if_idle(struct worker *w)
{
        if ((w->state == WORKER_DRAINING || w->state == WORKER_FENCED) && w->n_jobs == 0 &&
            w->claim == NULL && effects_idle(w->effects))
                leave(w);
}

/* Agents or the database took too long: jobs that are not recorded go back with the row, or by the reaper. */
static void on_timer(void *arg)
{
        struct worker *w = arg;
        log_warning(EV("worker.left-behind"), LF_I("jobs", w->n_jobs), LF_S("then", "leaving without them"));
        leave(w);
}

static void busy_changed(struct worker *w)
{
        metrics_set(METRIC_JOBS_RUNNING, (int64_t)w->n_jobs);
        w->cfg.on_busy(w->cfg.arg, (unsigned)w->n_jobs);
}

static void on_job_done(void *arg, struct job *job)
{
        struct worker *w = arg;
        for (size_t i = 0; i < w->n_jobs; i++) {
                if (w->jobs[i] != job)
                        continue;
                w->jobs[i] = w->jobs[--w->n_jobs];
                break;
        }
        job_free(job);
        busy_changed(w);
        claim_job(w);
        leave_if_idle(w);
}

static void start_job(struct worker *w, const struct db_result *res)
{
        struct claim claim;
        struct errinfo err = ERRINFO_INIT;
        int r = claim_read(&claim, res, 0, &err);
        metrics_count(METRIC_JOBS_CLAIMED, 1);
        log_info(EV("job.claimed"), LF_I("job", claim.job), LF_I("epoch", claim.epoch),
                 LF_S("work_item", claim.work_item), LF_S("role", claim.role),
                 LF_I("attempt", claim.attempt));
        struct job *job = job_new(&w->host, &claim, r < 0 ? err.text : NULL, on_job_done, w);
        w->jobs[w->n_jobs++] = job;
        busy_changed(w);
        if (w->state != WORKER_LIVE) /* the drain began while the claim was under way */
                job_stop(job, w->state == WORKER_FENCED ? JOB_STOP_FENCED : JOB_STOP_SHUTDOWN);
}

static void on_claimed(void *arg, const struct db_result *res)
{
        struct worker *w = arg;
        w->claim = NULL;
        if (res->outcome == DB_UNKNOWN)
                w->unsure = true;
        else if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("job.claim-failed"), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next beat"));
        else if (res->outcome == DB_OK && db_rows(res) == 1) {
                start_job(w, res);
                claim_job(w);
        }
        leave_if_idle(w);
}

static void claim_job(struct worker *w)
{
        char process[24], epoch[24];
        if (w->state != WORKER_LIVE || w->claim != NULL || w->n_jobs >= (size_t)w->host.opt->worker_slots)
                return;
        (void)snprintf(process, sizeof(process), "%" PRId64, process_row_id(w->row));
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, process_row_epoch(w->row));
        const char *params[] = {process, epoch};
        w->claim = db_query(w->cfg.db, &Q_JOB_CLAIM, params, STATEMENT_DEADLINE_MS, on_claimed, w);
}

static void on_held(void *arg, const struct db_result *res)
{
        struct worker *w = arg;
        w->holds = NULL;
        if (res->outcome != DB_OK || db_rows(res) != 1)
                return; /* still unsure: the next beat asks again */
        w->unsure = false;
        int64_t released = db_int(res, 0, "released", 0);
        if (released > 0)
                log_warning(EV("worker.unknown-claims"), LF_I("released", released),
                            LF_S("reason", "the answer to a claim was lost"));
}

/* Statements go out in order, so claims that are sent after this one are not looked at by it; one that is
 * under way would be, and be taken for unknown. */
static void tell_holds(struct worker *w)
{
        char process[24], epoch[24];
        struct strbuf jobs = STRBUF_INIT, effects = STRBUF_INIT, list = STRBUF_INIT;
        if (!w->unsure || w->claim != NULL || w->holds != NULL || effects_claiming(w->effects))
                return;
        for (size_t i = 0; i < w->n_jobs; i++)
                strbuf_addf(&jobs, "%s%" PRId64, i > 0 ? "," : "{", job_id(w->jobs[i]));
        strbuf_addstr(&jobs, w->n_jobs > 0 ? "}" : "{}");
        effects_ids(w->effects, &list);
        strbuf_addf(&effects, "{%s}", list.buf);
        (void)snprintf(process, sizeof(process), "%" PRId64, process_row_id(w->row));
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, process_row_epoch(w->row));
        const char *params[] = {process, epoch, jobs.buf, effects.buf};
        w->holds = db_query(w->cfg.db, &Q_PROCESS_HOLDS, params, STATEMENT_DEADLINE_MS, on_held, w);
        strbuf_deinit(&jobs);
        strbuf_deinit(&effects);
        strbuf_deinit(&list);
}

static void on_unsure(void *arg)
{
        struct worker *w = arg;
        w->unsure = true;
}

static void on_effects_idle(void *arg)
{
        leave_if_idle(arg);
}

static void stop_jobs(struct worker *w, enum job_stop why)
{
        for (size_t i = w->n_jobs; i-- > 0;)
                job_stop(w->jobs[i], why);
}

static void on_beat(void *arg, const struct process_beat *beat)
{
        struct worker *w = arg;
        for (size_t i = w->n_jobs; i-- > 0;) {
                int64_t id = job_id(w->jobs[i]);
                if (!process_row_has(&beat->held_jobs, id))
                        job_stop(w->jobs[i], JOB_STOP_FENCED);
                else if (process_row_has(&beat->stop_jobs, id))
                        job_stop(w->jobs[i], JOB_STOP_CANCELLED);
        }
        w->host.renewed_ms = beat->sent_ms;
        for (size_t i = 0; i < w->n_jobs; i++)
                job_renewed(w->jobs[i]);
        tell_holds(w);
        if (w->state != WORKER_LIVE)
                return;
        if (beat->events_wanted)
                events_wake(w->events);
        if (beat->effects_wanted)
                effects_wake(w->effects, process_row_id(w->row), process_row_epoch(w->row));
        if (beat->jobs_wanted)
                claim_job(w);
}

static void on_registered(void *arg)
{
        struct worker *w = arg;
        if (w->state == WORKER_STARTING)
                w->state = WORKER_LIVE;
        w->cfg.on_ready(w->cfg.arg);
}

static int64_t quick_ms(const struct worker *w)
{
        return 2 * w->host.opt->agent_kill_grace_seconds * 1000 + QUICK_LEAVE_MS;
}

static void on_fenced(void *arg)
{
        struct worker *w = arg;
        if (w->state >= WORKER_LEAVING)
                return;
        w->state = WORKER_FENCED;
        events_stop(w->events);
        effects_stop(w->effects);
        stop_jobs(w, JOB_STOP_FENCED);
        loop_timer_arm(w->timer, quick_ms(w));
        leave_if_idle(w);
}

static void make_parts(struct worker *w)
{
        const struct git_config git = {
                .path = GIT_PATH, .protocols = GIT_PROTOCOLS, .timeout_ms = w->cfg.opt->git_timeout_ms};
        const struct process_row_config row = {
                .host = w->cfg.host,
                .daemon = "workerd",
                .beat_interval_ms = w->cfg.opt->beat_interval_ms,
                .on_registered = on_registered,
                .on_beat = on_beat,
                .on_fenced = on_fenced,
                .arg = w,
        };
        w->host.git = git_new(w->cfg.loop, &git);
        const struct effects_config effects = {
                .loop = w->cfg.loop,
                .db = w->cfg.db,
                .git = w->host.git,
                .on_unsure = on_unsure,
                .on_idle = on_effects_idle,
                .arg = w,
        };
        w->row = process_row_new(w->cfg.loop, w->cfg.db, &row);
        w->events = events_new(w->cfg.db);
        w->effects = effects_new(&effects);
        w->leftovers = leftovers_sweep(w->cfg.loop, w->state_dir);
        w->timer = loop_timer_new(w->cfg.loop, on_timer, w);
}

int worker_new(const struct worker_config *cfg, struct worker **ret_worker)
{
        char *shim = proc_program_path(cfg->opt->bin_dir, "orch-shim");
        if (shim == NULL)
                return -errno;
        struct worker *w = xcalloc(1, sizeof(*w));
        w->cfg = *cfg;
        w->state_dir = xstrdup(cfg->opt->state_dir);
        w->shim = shim;
        w->host = (struct job_host){.loop = cfg->loop,
                                    .db = cfg->db,
                                    .opt = cfg->opt,
                                    .state_dir = w->state_dir,
                                    .shim = w->shim};
        make_parts(w);
        *ret_worker = w;
        return 0;
}

void worker_free(struct worker *w)
{
        if (w == NULL)
                return;
        for (size_t i = 0; i < w->n_jobs; i++)
                job_free(w->jobs[i]);
        db_request_forget(w->claim);
        db_request_forget(w->holds);
        leftovers_free(w->leftovers);
        effects_free(w->effects);
        events_free(w->events);
        process_row_free(w->row);
        git_free(w->host.git);
        loop_timer_free(w->timer);
        free(w->state_dir);
        free(w->shim);
        free(w);
}

void worker_up(struct worker *w)
{
        if (w->state != WORKER_FENCED)
                process_row_up(w->row);
}

void worker_hint(struct worker *w)
{
        process_row_hint(w->row);
}

void worker_drain(struct worker *w, bool quick)
{
        if (w->state >= WORKER_FENCED)
                return;
        if (w->state != WORKER_DRAINING) {
                w->state = WORKER_DRAINING;
                events_stop(w->events);
                effects_stop(w->effects);
                process_row_drain(w->row);
                log_info(EV("worker.draining"), LF_I("jobs", w->n_jobs));
        }
        if (quick) {
                stop_jobs(w, JOB_STOP_SHUTDOWN);
                loop_timer_arm(w->timer, quick_ms(w));
        }
        leave_if_idle(w);
}

void worker_reload(struct worker *w, const struct options *opt)
{
        w->host.opt = opt;
        git_set_timeout(w->host.git, opt->git_timeout_ms);
        process_row_set_interval(w->row, opt->beat_interval_ms);
        process_row_hint(w->row); /* there may be more slots now */
}
