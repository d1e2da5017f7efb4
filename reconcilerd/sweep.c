/* sweep.c - the statements of a tick, one after the other: a table. Another host that is doing the tick makes
 * ours an empty one. One statement that the database refuses holds the others up as little as possible. */
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

struct sweep {
        struct db *db;
        int64_t interval_ms;
        bool stopped;
        size_t step; /* of the tick that is under way */
        struct loop_timer *timer;
        struct db_request *request; /* NULL when idle */
};

static uint64_t column(const struct db_result *res, const char *name)
{
        int64_t n = db_int(res, 0, name, 0);
        return n > 0 ? (uint64_t)n : 0;
}

static void on_gates(const struct db_result *res)
{
        static const struct {
                const char *reason;
                enum metric_id metric;
        } skips[] = {
                {"terminal", METRIC_RECONCILE_SKIPPED_TERMINAL},
                {"escalated", METRIC_RECONCILE_SKIPPED_ESCALATED},
                {"lease", METRIC_RECONCILE_SKIPPED_LEASE},
                {"human", METRIC_RECONCILE_SKIPPED_HUMAN},
                {"busy", METRIC_RECONCILE_SKIPPED_BUSY},
                {"red", METRIC_RECONCILE_SKIPPED_RED},
        };
        uint64_t advanced = column(res, "advanced");
        metrics_count(METRIC_RECONCILE_SWEEPS, 1);
        metrics_count(METRIC_RECONCILE_ADVANCED, advanced);
        for (size_t i = 0; i < ARRAY_SIZE(skips); i++)
                metrics_count(skips[i].metric, column(res, skips[i].reason));
        if (advanced > 0)
                log_info(EV("reconcile.advanced"), LF_I("examined", db_int(res, 0, "examined", 0)),
                         LF_I("advanced", db_int(res, 0, "advanced", 0)),
                         LF_I("skipped", db_int(res, 0, "skipped", 0)));
}

static void on_outside(const struct db_result *res)
{
        metrics_count(METRIC_RECONCILE_WANTED, column(res, "wanted"));
}

static void on_waits(const struct db_result *res)
{
        if (column(res, "deadlocks") > 0)
                log_warning(EV("reconcile.deadlock"), LF_I("deadlocks", db_int(res, 0, "deadlocks", 0)),
                            LF_S("then", "people are alerted once: orchctl waits"));
}

static void on_escalations(const struct db_result *res)
{
        uint64_t raised = column(res, "raised");
        metrics_count(METRIC_ESCALATIONS_RAISED_AGAIN, raised);
        if (raised > 0)
                log_info(EV("reconcile.raised-again"), LF_I("escalations", db_int(res, 0, "raised", 0)),
                         LF_S("hint", "orchctl ack ITEM says that somebody looks after it"));
}

/* The tick, in order. */
static const struct {
        const struct db_statement *statement;
        const char *limit;
        void (*done)(const struct db_result *res);
} steps[] = {
        {&Q_RECONCILE_GATES, "100", on_gates},
        {&Q_RECONCILE_OUTSIDE, "20", on_outside},
        {&Q_WAITS_CHECK, "50", on_waits},
        {&Q_ESCALATIONS_RAISE, "50", on_escalations},
};

static void ask(struct sweep *s);

static void on_answer(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        s->request = NULL;
        bool answered = res->outcome == DB_OK && db_rows(res) == 1;
        if (answered)
                steps[s->step].done(res);
        else if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("reconcile.failed"), LF_S("statement", steps[s->step].statement->name),
                            LF_ERR(&res->err), LF_S("then", "tried again at the next tick"));
        s->step++;
        if (s->step < ARRAY_SIZE(steps) && !s->stopped && (answered || res->outcome == DB_SQL_ERROR))
                ask(s);
        else
                loop_timer_arm(s->timer, s->interval_ms);
}

static void ask(struct sweep *s)
{
        const char *params[] = {steps[s->step].limit};
        s->request = db_query(s->db, steps[s->step].statement, params, STATEMENT_DEADLINE_MS, on_answer, s);
}

static void on_timer(void *arg)
{
        struct sweep *s = arg;
        s->step = 0;
        ask(s);
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
