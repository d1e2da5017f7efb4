/* snapshot.c - see snapshot.h. */
#include "web/snapshot.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/strbuf.h"

enum { FAILURE_TTL_MS = 1000 };

TAILQ_HEAD(waiter_list, snapshot_waiter);

struct snapshot {
        struct snapshot_config cfg;
        struct db_request *req;      /* NULL: none under way */
        struct loop_timer *patience; /* armed while somebody waits */
        struct waiter_list waiters;
        struct strbuf text;
        bool known;                 /* the last statement gave `text`, else it failed */
        int64_t asked_ms, until_ms; /* when it was asked for, and how long that holds */
};

static int64_t holds_until(const struct snapshot *s, const struct db_result *res)
{
        if (!s->known)
                return loop_now_ms(s->cfg.loop) + FAILURE_TTL_MS;
        if (s->cfg.keep_ms != NULL)
                return s->asked_ms + s->cfg.keep_ms(res);
        return loop_now_ms(s->cfg.loop) + s->cfg.ttl_ms;
}

/* Tells everyone who waits now; who comes during the calls waits for the next. */
static void tell(struct snapshot *s, const struct strbuf *text)
{
        struct waiter_list told;
        struct snapshot_waiter *w;
        TAILQ_INIT(&told);
        TAILQ_CONCAT(&told, &s->waiters, link);
        loop_timer_disarm(s->patience);
        while ((w = TAILQ_FIRST(&told)) != NULL) {
                TAILQ_REMOVE(&told, w, link);
                w->fn(w->arg, text);
        }
}

static void on_result(void *arg, const struct db_result *res)
{
        struct snapshot *s = arg;
        s->req = NULL;
        s->known = res->outcome == DB_OK;
        s->until_ms = holds_until(s, res);
        strbuf_reset(&s->text);
        if (s->known)
                s->cfg.format(&s->text, res);
        else
                log_warning(EV("status.query-failed"), LF_S("query", s->cfg.statement->name),
                            LF_ERR(&res->err));
        tell(s, s->known ? &s->text : NULL);
}

static void on_patience_over(void *arg)
{
        tell(arg, NULL);
}

struct snapshot *snapshot_new(const struct snapshot_config *cfg)
{
        struct snapshot *s = xcalloc(1, sizeof(*s));
        s->cfg = *cfg;
        s->text = (struct strbuf)STRBUF_INIT;
        s->patience = loop_timer_new(cfg->loop, on_patience_over, s);
        TAILQ_INIT(&s->waiters);
        return s;
}

void snapshot_free(struct snapshot *s)
{
        if (s == NULL)
                return;
        assert(TAILQ_EMPTY(&s->waiters));
        db_request_forget(s->req);
        loop_timer_free(s->patience);
        strbuf_deinit(&s->text);
        free(s);
}

enum snapshot_state snapshot_look(const struct snapshot *s, const struct strbuf **ret_text)
{
        if (!db_is_up(s->cfg.db))
                return SNAPSHOT_NONE;
        if (loop_now_ms(s->cfg.loop) >= s->until_ms)
                return SNAPSHOT_STALE;
        if (!s->known)
                return SNAPSHOT_NONE;
        *ret_text = &s->text;
        return SNAPSHOT_FRESH;
}

void snapshot_wait(struct snapshot *s, struct snapshot_waiter *w)
{
        TAILQ_INSERT_TAIL(&s->waiters, w, link);
        if (!loop_timer_armed(s->patience))
                loop_timer_arm(s->patience, s->cfg.patience_ms);
        if (s->req != NULL)
                return;
        s->asked_ms = loop_now_ms(s->cfg.loop);
        s->req = db_query(s->cfg.db, s->cfg.statement, NULL, s->cfg.deadline_ms, on_result, s);
}

void snapshot_forget(struct snapshot *s, struct snapshot_waiter *w)
{
        TAILQ_REMOVE(&s->waiters, w, link);
        if (TAILQ_EMPTY(&s->waiters))
                loop_timer_disarm(s->patience);
}
