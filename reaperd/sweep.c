/*
 * sweep.c - the tick: its steps in order, what they share, and the step that needs no memory.
 *
 * To judge what runs here costs a look into /proc, to ask the database costs queries. So most ticks judge by
 * what is known, and only every few ask (a look): as seldom as silence.h allows while all is well, at every
 * tick while something is amiss.
 */
#include "reaperd/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/proc.h"
#include "queries.h"
#include "reaperd/disk_watch.h"
#include "reaperd/keeper.h"
#include "reaperd/pruner.h"
#include "reaperd/sweep_internal.h"

#define DEADLINE_MS    10000 /* of a statement */
#define LONGEST_GAP_MS 15000 /* between looks that are one watch; see silence.h */
#define TICKS_PER_LOOK 5     /* while all is well, and if that is often enough */
#define OVERDUE_MAX    32    /* in one tick */

static const struct {
        const char *name;
        void (*begin)(struct sweep *s);
} steps[] = {
        {"processes", sweep_processes},
        {"orphans", sweep_orphans},
        {"overdue", sweep_overdue},
};

/* --- what steps share --- */

/* A silence is never made of our own absence by more than half. */
static int64_t gap_ms(const struct sweep *s)
{
        int64_t half = s->takeover_after_ms / 2;
        return half < LONGEST_GAP_MS ? half : LONGEST_GAP_MS;
}

static bool look_is_due(const struct sweep *s)
{
        int64_t since_ms = loop_now_ms(s->loop) - s->beats.answered_ms;
        return s->amiss || since_ms >= TICKS_PER_LOOK * s->interval_ms || since_ms >= gap_ms(s) * 2 / 3;
}

static void rest(struct sweep *s)
{
        s->state = SWEEP_IDLE;
        loop_timer_arm(s->timer, s->interval_ms);
}

void sweep_next(struct sweep *s)
{
        if (s->looking && ++s->step < ARRAY_SIZE(steps))
                steps[s->step].begin(s);
        else
                rest(s);
}

void sweep_ask(struct sweep *s, const struct db_statement *st, const char *const *params, db_result_fn *fn)
{
        s->asked_ms = loop_now_ms(s->loop);
        s->request = db_query(s->db, st, params, DEADLINE_MS, fn, s);
}

/* A statement that the database refuses does not keep the other steps from their work; in an outage, which
 * the connection itself tells of, they would only wait. */
bool sweep_heard(struct sweep *s, const struct db_result *res)
{
        s->request = NULL;
        if (res->outcome == DB_OK)
                return true;
        s->amiss = true;
        if (res->outcome != DB_SQL_ERROR) {
                rest(s);
                return false;
        }
        log_warning(EV("reap.statement-failed"), LF_S("what", steps[s->step].name), LF_ERR(&res->err),
                    LF_S("then", "tried again at the next tick"));
        sweep_next(s);
        return false;
}

void sweep_look(struct sweep *s, struct silence *silence)
{
        silence_look(silence, s->asked_ms, loop_now_ms(s->loop), gap_ms(s));
}

/* --- tier 3: jobs over the ceiling, leases of the dead --- */

static void on_overdue(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        if (!sweep_heard(s, res))
                return;
        int64_t jobs = db_int(res, 0, "jobs", 0);
        if (jobs > 0) {
                log_warning(EV("reap.overdue"), LF_I("jobs", jobs));
                metrics_count(METRIC_REAPED_OVERDUE, (uint64_t)jobs);
                s->amiss = true; /* there may be more of them */
        }
        sweep_next(s);
}

void sweep_overdue(struct sweep *s)
{
        char limit[16];
        (void)snprintf(limit, sizeof(limit), "%d", OVERDUE_MAX);
        const char *params[] = {limit};
        sweep_ask(s, &Q_REAP_OVERDUE, params, on_overdue);
}

/* --- life --- */

static void on_timer(void *arg)
{
        struct sweep *s = arg;
        if (s->state != SWEEP_IDLE)
                return;
        s->looking = look_is_due(s);
        s->amiss = false;
        s->state = SWEEP_STEPS;
        s->step = 0;
        steps[0].begin(s);
}

int sweep_new(const struct sweep_config *cfg, struct sweep **ret_sweep)
{
        char *shim = proc_program_path(cfg->opt->bin_dir, "orch-shim");
        if (shim == NULL)
                return -errno;
        struct sweep *s = xcalloc(1, sizeof(*s));
        s->loop = cfg->loop;
        s->db = cfg->db;
        s->row = cfg->row;
        s->host = xstrdup(cfg->host);
        s->state_dir = xstrdup(cfg->opt->state_dir);
        s->shim = shim;
        s->timer = loop_timer_new(cfg->loop, on_timer, s);
        s->keeper = keeper_new(cfg);
        s->disks = disk_watch_new(cfg);
        s->pruner = pruner_new(cfg);
        sweep_reload(s, cfg->opt);
        *ret_sweep = s;
        return 0;
}

void sweep_free(struct sweep *s)
{
        if (s == NULL)
                return;
        sweep_stop(s);
        loop_timer_free(s->timer);
        keeper_free(s->keeper);
        disk_watch_free(s->disks);
        pruner_free(s->pruner);
        sweep_forget_processes(s);
        free(s->evidence);
        free(s->host);
        free(s->state_dir);
        free(s->shim);
        free(s);
}

void sweep_wake(struct sweep *s)
{
        s->amiss = true;
        s->up_ms = loop_now_ms(s->loop);
        if (s->state == SWEEP_IDLE)
                loop_timer_soon(s->timer);
        keeper_wake(s->keeper);
        disk_watch_wake(s->disks);
        pruner_wake(s->pruner);
}

void sweep_reload(struct sweep *s, const struct options *opt)
{
        s->interval_ms = opt->reaper_interval_ms;
        s->freeze_after_ms = opt->freeze_after_ms;
        s->takeover_after_ms = opt->takeover_after_ms;
        keeper_reload(s->keeper, opt);
        disk_watch_reload(s->disks, opt);
        pruner_reload(s->pruner, opt);
}

void sweep_stop(struct sweep *s)
{
        db_request_forget(take_ptr(s->request));
        if (s->cleaner != NULL)
                proc_forget(take_ptr(s->cleaner)); /* it ends by itself, within seconds */
        loop_timer_disarm(s->timer);
        keeper_stop(s->keeper);
        disk_watch_stop(s->disks);
        pruner_stop(s->pruner);
        s->state = SWEEP_STOPPED;
}
