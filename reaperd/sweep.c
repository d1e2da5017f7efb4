/*
 * sweep.c - one tick: list the processes of this host, judge each, report the dead one after another. A
 * process that died twice in a tick is reported once; what a tick leaves over, the next one finds again.
 */
#include "reaperd/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "queries.h"
#include "reaperd/judge.h"

#define STATEMENT_DEADLINE_MS 10000
#define REPORTS_PER_TICK      32

struct dead {
        int64_t process;
        char *daemon;
        char *evidence;
        bool host_dead; /* it was another boot: nothing of it lives on */
};

enum sweep_state {
        SWEEP_IDLE,      /* waits for the timer */
        SWEEP_LISTING,   /* waits for processes_of_host */
        SWEEP_REPORTING, /* waits for process_gone of dead[next] */
        SWEEP_STOPPED,
};

struct sweep {
        struct db *db;
        char *host;
        int64_t interval_ms;
        enum sweep_state state;
        struct loop_timer *timer;
        struct db_request *request; /* NULL when idle */
        struct dead dead[REPORTS_PER_TICK];
        size_t n_dead, next;
};

static void report_next(struct sweep *s);

static void forget_dead(struct sweep *s)
{
        for (size_t i = 0; i < s->n_dead; i++) {
                free(s->dead[i].daemon);
                free(s->dead[i].evidence);
        }
        s->n_dead = s->next = 0;
}

static void rest(struct sweep *s)
{
        forget_dead(s);
        s->state = SWEEP_IDLE;
        loop_timer_arm(s->timer, s->interval_ms);
}

static void failed(struct sweep *s, const char *what, const struct db_result *res)
{
        /* An outage is said by the connection itself. */
        if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("reap.statement-failed"), LF_S("what", what), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next tick"));
        rest(s);
}

static void judge_row(struct sweep *s, const struct db_result *res, int row)
{
        struct strbuf evidence = STRBUF_INIT;
        const struct judge_host host = {.boot_id = proc_boot_id(), .start_time = proc_start_time};
        const struct judge_process p = {
                .boot_id = db_text(res, row, "boot_id"),
                .pid = (pid_t)db_int(res, row, "pid", 0),
                .pid_start = (unsigned long long)db_int(res, row, "pid_start", 0),
        };
        if (judge_is_gone(&p, &host, &evidence))
                s->dead[s->n_dead++] = (struct dead){
                        .process = db_int(res, row, "process_id", 0),
                        .daemon = xstrdup(db_text(res, row, "daemon")),
                        .evidence = strbuf_take(&evidence),
                        .host_dead = strcmp(p.boot_id, host.boot_id) != 0,
                };
        strbuf_deinit(&evidence);
}

static void on_listed(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        s->request = NULL;
        if (res->outcome != DB_OK) {
                failed(s, "list", res);
                return;
        }
        for (int i = 0; i < db_rows(res) && s->n_dead < REPORTS_PER_TICK; i++)
                judge_row(s, res, i);
        s->state = SWEEP_REPORTING;
        report_next(s);
}

static void on_reported(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        const struct dead *d = &s->dead[s->next];
        s->request = NULL;
        if (res->outcome != DB_OK || db_rows(res) != 1) {
                failed(s, "report", res);
                return;
        }
        int64_t jobs = db_int(res, 0, "jobs", 0);
        log_warning(EV("reap.process-gone"), LF_I("process", d->process), LF_S("of", d->daemon),
                    LF_S("evidence", d->evidence), LF_I("jobs", jobs));
        metrics_count(METRIC_REAPED_PROCESSES, 1);
        metrics_count(METRIC_REAPED_JOBS, jobs > 0 ? (uint64_t)jobs : 0);
        s->next++;
        report_next(s);
}

static void report_next(struct sweep *s)
{
        char id[24];
        if (s->next == s->n_dead) {
                rest(s);
                return;
        }
        (void)snprintf(id, sizeof(id), "%" PRId64, s->dead[s->next].process);
        const char *params[] = {id, s->dead[s->next].evidence, s->dead[s->next].host_dead ? "true" : "false"};
        s->request = db_query(s->db, &Q_PROCESS_GONE, params, STATEMENT_DEADLINE_MS, on_reported, s);
}

static void on_timer(void *arg)
{
        struct sweep *s = arg;
        if (s->state != SWEEP_IDLE)
                return;
        const char *params[] = {s->host};
        s->state = SWEEP_LISTING;
        s->request = db_query(s->db, &Q_PROCESSES_OF_HOST, params, STATEMENT_DEADLINE_MS, on_listed, s);
}

struct sweep *sweep_new(struct loop *loop, struct db *db, const char *host, int64_t interval_ms)
{
        struct sweep *s = xcalloc(1, sizeof(*s));
        s->db = db;
        s->host = xstrdup(host);
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
        forget_dead(s);
        free(s->host);
        free(s);
}

void sweep_wake(struct sweep *s)
{
        if (s->state == SWEEP_IDLE)
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
        s->state = SWEEP_STOPPED;
}
