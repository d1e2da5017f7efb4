/* sweep.c - two statements per tick: what stands still, then who waits for whom. Another host that is doing
 * the tick makes ours an empty one. */
#include "reconcilerd/sweep.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "queries.h"

#define STATEMENT_DEADLINE_MS 30000
#define TASKS_PER_TICK        "100"
#define WAITS_PER_TICK        "50"

struct sweep {
        struct db *db;
        int64_t interval_ms;
        bool stopped;
        struct loop_timer *timer;
        struct db_request *request; /* NULL when idle */
};

static void count_sweep(const struct db_result *res)
{
        int64_t examined = db_int(res, 0, "examined", 0);
        int64_t advanced = db_int(res, 0, "advanced", 0);
        int64_t skipped = db_int(res, 0, "skipped", 0);
        metrics_count(METRIC_RECONCILE_SWEEPS, 1);
        metrics_count(METRIC_RECONCILE_ADVANCED, advanced > 0 ? (uint64_t)advanced : 0);
        if (advanced > 0)
                log_info(EV("reconcile.advanced"), LF_I("examined", examined), LF_I("advanced", advanced),
                         LF_I("skipped", skipped));
}

static void on_checked(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        s->request = NULL;
        if (res->outcome == DB_OK && db_rows(res) == 1 && db_int(res, 0, "deadlocks", 0) > 0)
                log_warning(EV("reconcile.deadlock"), LF_I("deadlocks", db_int(res, 0, "deadlocks", 0)),
                            LF_S("then", "people are alerted once: orchctl waits"));
        else if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("reconcile.waits-failed"), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next tick"));
        loop_timer_arm(s->timer, s->interval_ms);
}

static void check_waits(struct sweep *s)
{
        const char *params[] = {WAITS_PER_TICK};
        s->request = db_query(s->db, &Q_WAITS_CHECK, params, STATEMENT_DEADLINE_MS, on_checked, s);
}

static void on_swept(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        s->request = NULL;
        if (res->outcome == DB_OK && db_rows(res) == 1)
                count_sweep(res);
        else if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("reconcile.failed"), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next tick"));
        if (res->outcome == DB_OK && !s->stopped)
                check_waits(s);
        else
                loop_timer_arm(s->timer, s->interval_ms);
}

static void on_timer(void *arg)
{
        struct sweep *s = arg;
        const char *params[] = {TASKS_PER_TICK};
        s->request = db_query(s->db, &Q_RECONCILE_GATES, params, STATEMENT_DEADLINE_MS, on_swept, s);
}

int sweep_new(const struct sweep_config *cfg, struct sweep **ret_sweep)
{
        struct sweep *s = xcalloc(1, sizeof(*s));
        s->db = cfg->db;
        s->timer = loop_timer_new(cfg->loop, on_timer, s);
        sweep_reload(s, cfg->opt);
        *ret_sweep = s;
        return 0;
}

void sweep_free(struct sweep *s)
{
        if (s == NULL)
                return;
        db_request_forget(s->request);
        loop_timer_free(s->timer);
        free(s);
}

void sweep_wake(struct sweep *s)
{
        if (!s->stopped && s->request == NULL)
                loop_timer_soon(s->timer);
}

void sweep_reload(struct sweep *s, const struct options *opt)
{
        s->interval_ms = opt->reconcile_interval_ms;
}

void sweep_stop(struct sweep *s)
{
        db_request_forget(take_ptr(s->request));
        loop_timer_disarm(s->timer);
        s->stopped = true;
}
