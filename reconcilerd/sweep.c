/* sweep.c - one statement per tick. Another host that is doing the tick makes ours an empty one. */
#include "reconcilerd/sweep.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "queries.h"

#define STATEMENT_DEADLINE_MS 30000
#define TASKS_PER_TICK        "100"

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

static void on_swept(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        s->request = NULL;
        if (res->outcome == DB_OK && db_rows(res) == 1)
                count_sweep(res);
        else if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("reconcile.failed"), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next tick"));
        loop_timer_arm(s->timer, s->interval_ms);
}

static void on_timer(void *arg)
{
        struct sweep *s = arg;
        const char *params[] = {TASKS_PER_TICK};
        s->request = db_query(s->db, &Q_RECONCILE_GATES, params, STATEMENT_DEADLINE_MS, on_swept, s);
}

struct sweep *sweep_new(struct loop *loop, struct db *db, int64_t interval_ms)
{
        struct sweep *s = xcalloc(1, sizeof(*s));
        s->db = db;
        s->interval_ms = interval_ms;
        s->timer = loop_timer_new(loop, on_timer, s);
        return s;
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

void sweep_set_interval(struct sweep *s, int64_t interval_ms)
{
        s->interval_ms = interval_ms;
}

void sweep_stop(struct sweep *s)
{
        db_request_forget(take_ptr(s->request));
        loop_timer_disarm(s->timer);
        s->stopped = true;
}
