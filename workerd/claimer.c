/* claimer.c - see claimer.h. */
#include "workerd/claimer.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/db.h"

#define STATEMENT_DEADLINE_MS 10000

static void claim(struct claimer *c);

bool claimer_idle(const struct claimer *c)
{
        return c->request == NULL && c->cfg.room(c->cfg.arg) == c->cfg.at_once;
}

static void on_claimed(void *arg, const struct db_result *res)
{
        struct claimer *c = arg;
        int n = res->outcome == DB_OK ? db_rows(res) : 0;
        c->request = NULL;
        if (res->outcome == DB_SQL_ERROR)
                log_warning(c->cfg.failed, LF_ERR(&res->err), LF_S("then", "tried again at the next beat"));
        for (int i = 0; i < n; i++)
                c->cfg.take(c->cfg.arg, res, i);
        if (!c->stopped && n == 0 && c->woken && res->outcome == DB_OK)
                claim(c);
        else if (claimer_idle(c))
                c->cfg.on_idle(c->cfg.idle_arg);
}

static void claim(struct claimer *c)
{
        char process[24], epoch[24], limit[24];
        size_t n = c->cfg.room(c->cfg.arg);
        if (n == 0)
                return;
        (void)snprintf(process, sizeof(process), "%" PRId64, c->process);
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, c->epoch);
        (void)snprintf(limit, sizeof(limit), "%zu", n);
        const char *params[] = {process, epoch, limit};
        c->woken = false;
        c->request = db_query(c->cfg.db, c->cfg.statement, params, STATEMENT_DEADLINE_MS, on_claimed, c);
}

void claimer_init(struct claimer *c, const struct claimer_config *cfg)
{
        *c = (struct claimer){.cfg = *cfg};
}

void claimer_deinit(struct claimer *c)
{
        db_request_forget(c->request);
        c->request = NULL;
}

void claimer_wake(struct claimer *c, int64_t process, int64_t epoch)
{
        c->process = process;
        c->epoch = epoch;
        c->woken = true;
        if (!c->stopped && c->request == NULL)
                claim(c);
}

void claimer_next(struct claimer *c)
{
        if (!c->stopped && c->request == NULL)
                claim(c);
        else if (claimer_idle(c))
                c->cfg.on_idle(c->cfg.idle_arg);
}

void claimer_stop(struct claimer *c)
{
        c->stopped = true;
}
