/* db.c - makes and frees a db, guards its state, and calls its owner. See db_internal.h for the other files.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/db_internal.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"

#define RECONNECT_MIN_MS 200
#define RECONNECT_MAX_MS 10000

#define TO(state)        (1u << (state))

void db_set_state(struct db *db, enum db_state state)
{
        static const unsigned moves[] = {
                [DB_DISCONNECTED] = TO(DB_CONNECTING),
                [DB_CONNECTING] = TO(DB_PREPARING) | TO(DB_DISCONNECTED) | TO(DB_BACKOFF),
                [DB_PREPARING] = TO(DB_IDLE) | TO(DB_DISCONNECTED) | TO(DB_BACKOFF),
                [DB_IDLE] = TO(DB_BUSY) | TO(DB_BACKOFF),
                [DB_BUSY] = TO(DB_IDLE) | TO(DB_BACKOFF),
                [DB_BACKOFF] = TO(DB_CONNECTING),
        };
        assert((moves[db->state] & TO(state)) != 0);
        db->state = state;
}

void db_tell(struct db *db, unsigned what)
{
        db->tell |= what;
        loop_timer_soon(db->soon);
}

static const char *application_name(const struct db *db)
{
        return db_target_get(&db->targets.list[db->target], "application_name");
}

/* Here and not by the owners: what they make of it differs, what people want to know does not. An outage is a
 * warning once; each attempt that fails meanwhile is for debugging. */
static void log_down(struct db *db, const struct errinfo *reason)
{
        const struct log_field fields[] = {EV("db.down"), LF_S("connection", application_name(db)),
                                           LF_ERR(reason), LF_I("retry_ms", db->retry_ms),
                                           LF_S("then", "tried again after retry_ms")};
        log_write(db->said_down ? LOGL_DEBUG : LOGL_WARNING, fields, ARRAY_SIZE(fields));
        db->said_down = true;
}

static void log_up(struct db *db)
{
        const char *hints = db->cfg.listen_channel == NULL ? ""
                            : db->pooled                   ? "none"
                                                           : db->cfg.listen_channel;
        const struct log_field listens = {.key = "listens", .str = hints, .if_set = true};
        log_info(EV("db.up"), LF_S("connection", application_name(db)), LF_S("server", PQhost(db->conn)),
                 listens, LF_S("pooled", db->pooled ? "true" : "false"));
        db->said_down = false;
}

static void tell_owner(struct db *db, unsigned what)
{
        const struct db_config *cfg = &db->cfg;
        struct errinfo reason = db->down_reason; /* a copy outlives the db */
        db->tell &= ~what;
        if (what == DB_TELL_DOWN)
                log_down(db, &reason);
        else if (what == DB_TELL_UP)
                log_up(db);
        if (what == DB_TELL_DOWN && cfg->on_down != NULL)
                cfg->on_down(cfg->arg, &reason);
        else if (what == DB_TELL_UP && cfg->on_up != NULL)
                cfg->on_up(cfg->arg);
        else if (what == DB_TELL_NOTIFY && cfg->on_notify != NULL)
                cfg->on_notify(cfg->arg);
}

static unsigned first_of(unsigned news)
{
        return (news & DB_TELL_DOWN) != 0 ? DB_TELL_DOWN : DB_TELL_UP;
}

/* One callback per turn, as the last act: the owner may free the db in it. First the state, then answers, and
 * then what is only a hint. */
static void on_soon(void *arg)
{
        struct db *db = arg;
        db_request_pump(db);
        unsigned news = db->tell & (DB_TELL_DOWN | DB_TELL_UP);
        struct db_request *done = news == 0 ? db_request_next_done(db) : NULL;
        if (db->tell == 0 && done == NULL)
                return;
        loop_timer_soon(db->soon); /* perhaps for nothing */
        if (done != NULL)
                db_request_deliver(done);
        else
                tell_owner(db, news != 0 ? first_of(news) : DB_TELL_NOTIFY);
}

static char *copy(const char *s)
{
        return s != NULL ? xstrdup(s) : NULL;
}

void db_set_reconnect_max(struct db *db, int64_t ms)
{
        db->backoff.max_ms = ms < RECONNECT_MIN_MS   ? RECONNECT_MIN_MS
                             : ms > RECONNECT_MAX_MS ? RECONNECT_MAX_MS
                                                     : ms;
}

int db_new(struct loop *loop, const struct db_config *cfg, struct db **ret_db)
{
        struct db_targets targets;
        int r = db_targets_init(&targets, cfg, NULL);
        if (r < 0)
                return r;
        struct db *db = xcalloc(1, sizeof(*db));
        db->loop = loop;
        db->targets = targets;
        db->cfg = *cfg;
        db->cfg.conninfo = db->cfg.default_user = db->cfg.application_name = NULL; /* now in targets */
        db->cfg.listen_channel = copy(cfg->listen_channel);
        db->backoff = (struct backoff){.min_ms = RECONNECT_MIN_MS, .max_ms = RECONNECT_MAX_MS};
        TAILQ_INIT(&db->queue);
        TAILQ_INIT(&db->done);
        db->soon = loop_timer_new(loop, on_soon, db);
        db->timer = loop_timer_new(loop, db_conn_on_timer, db);
        loop_timer_soon(db->timer); /* the first attempt: in the loop, as all others */
        *ret_db = db;
        return 0;
}

void db_free(struct db *db)
{
        if (db == NULL)
                return;
        db_request_drop_all(db);
        db_conn_close(db);
        db_conn_count(db, false);
        loop_timer_free(db->timer);
        loop_timer_free(db->soon);
        db_targets_deinit(&db->targets);
        free((char *)db->cfg.listen_channel);
        free(db);
}

bool db_is_up(const struct db *db)
{
        return db->state == DB_IDLE || db->state == DB_BUSY;
}
