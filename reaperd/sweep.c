/*
 * sweep.c - one tick: judge the processes of this host that we know of, report the dead one after another.
 * What a tick leaves over, the next one finds again.
 *
 * A judgement costs a look into /proc, a list costs a query: so the list is fetched at every few ticks only,
 * and at the tick after a death, when somebody will have been started instead.
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
#define TICKS_PER_LIST        5
#define KNOWN_MAX             200 /* as many as the list has at most */

struct known {
        int64_t process;
        char *daemon;
        char *boot_id;
        pid_t pid;
        unsigned long long pid_start;
};

enum sweep_state {
        SWEEP_IDLE,      /* waits for the timer */
        SWEEP_LISTING,   /* waits for processes_of_host */
        SWEEP_REPORTING, /* waits for process_gone of known[next] */
        SWEEP_STOPPED,
};

struct sweep {
        struct db *db;
        char *host;
        int64_t interval_ms;
        enum sweep_state state;
        struct loop_timer *timer;
        struct db_request *request; /* NULL when idle */
        unsigned ticks_to_list;     /* 0: the next tick fetches the list */
        struct known known[KNOWN_MAX];
        size_t n_known, next;
        char *evidence; /* of known[next], while it is being reported */
};

static void judge_next(struct sweep *s);

static void forget_known(struct sweep *s)
{
        for (size_t i = 0; i < s->n_known; i++) {
                free(s->known[i].daemon);
                free(s->known[i].boot_id);
        }
        s->n_known = s->next = 0;
}

static void rest(struct sweep *s)
{
        free(take_ptr(s->evidence));
        s->state = SWEEP_IDLE;
        loop_timer_arm(s->timer, s->interval_ms);
}

static void failed(struct sweep *s, const char *what, const struct db_result *res)
{
        /* An outage is said by the connection itself. */
        if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("reap.statement-failed"), LF_S("what", what), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next tick"));
        s->ticks_to_list = 0;
        rest(s);
}

static void judge(struct sweep *s)
{
        s->next = 0;
        judge_next(s);
}

static void on_listed(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        s->request = NULL;
        if (res->outcome != DB_OK) {
                failed(s, "list", res);
                return;
        }
        forget_known(s);
        for (int i = 0; i < db_rows(res) && s->n_known < KNOWN_MAX; i++)
                s->known[s->n_known++] = (struct known){
                        .process = db_int(res, i, "process_id", 0),
                        .daemon = xstrdup(db_text(res, i, "daemon")),
                        .boot_id = xstrdup(db_text(res, i, "boot_id")),
                        .pid = (pid_t)db_int(res, i, "pid", 0),
                        .pid_start = (unsigned long long)db_int(res, i, "pid_start", 0),
                };
        s->ticks_to_list = TICKS_PER_LIST;
        judge(s);
}

static void on_reported(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        const struct known *k = &s->known[s->next];
        s->request = NULL;
        if (res->outcome != DB_OK || db_rows(res) != 1) {
                failed(s, "report", res);
                return;
        }
        int64_t jobs = db_int(res, 0, "jobs", 0);
        log_warning(EV("reap.process-gone"), LF_I("process", k->process), LF_S("of", k->daemon),
                    LF_S("evidence", s->evidence), LF_I("jobs", jobs));
        metrics_count(METRIC_REAPED_PROCESSES, 1);
        metrics_count(METRIC_REAPED_JOBS, jobs > 0 ? (uint64_t)jobs : 0);
        s->ticks_to_list = 0;
        s->next++;
        judge_next(s);
}

static void report(struct sweep *s, char *evidence)
{
        char id[24];
        free(s->evidence);
        s->evidence = evidence;
        (void)snprintf(id, sizeof(id), "%" PRId64, s->known[s->next].process);
        const char *params[] = {id, evidence,
                                strcmp(s->known[s->next].boot_id, proc_boot_id()) != 0 ? "true" : "false"};
        s->state = SWEEP_REPORTING;
        s->request = db_query(s->db, &Q_PROCESS_GONE, params, STATEMENT_DEADLINE_MS, on_reported, s);
}

static void judge_next(struct sweep *s)
{
        struct strbuf evidence = STRBUF_INIT;
        const struct judge_host host = {.boot_id = proc_boot_id(), .start_time = proc_start_time};
        for (; s->next < s->n_known; s->next++) {
                const struct known *k = &s->known[s->next];
                const struct judge_process p = {
                        .boot_id = k->boot_id, .pid = k->pid, .pid_start = k->pid_start};
                if (judge_is_gone(&p, &host, &evidence)) {
                        report(s, strbuf_take(&evidence));
                        return;
                }
        }
        rest(s);
}

static void on_timer(void *arg)
{
        struct sweep *s = arg;
        if (s->state != SWEEP_IDLE)
                return;
        if (s->ticks_to_list > 0) {
                s->ticks_to_list--;
                judge(s);
                return;
        }
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
        forget_known(s);
        free(s->evidence);
        free(s->host);
        free(s);
}

void sweep_wake(struct sweep *s)
{
        s->ticks_to_list = 0;
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
