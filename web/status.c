/*
 * status.c - see status.h. A page is a row of pages[]: the snapshot it needs, if any, and how it is rendered.
 * It is rendered once, with the snapshot's text or without.
 */
#include "web/status.h"

#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/strbuf.h"
#include "migrations.h"
#include "queries.h"
#include "web/http_conn.h"
#include "web/http_reply.h"
#include "web/metric_rows.h"
#include "web/queue_page.h"
#include "web/snapshot.h"
#include "web/status_page.h"

enum {
        SNAPSHOT_SCHEMA,
        SNAPSHOT_STATUS,
        SNAPSHOT_QUEUE,
        SNAPSHOT_METRICS,
        SNAPSHOT_OPENAPI,
        SNAPSHOT_COUNT,
        NO_SNAPSHOT
};

struct status {
        struct status_config cfg;
        struct snapshot *snapshots[SNAPSHOT_COUNT];
        struct queue_pages *queue_pages;
};

/* A request that waits for a snapshot. */
struct waiting {
        struct status *st;
        enum route_target page;
        struct http_conn *conn;
        struct snapshot_waiter waiter;
};

static void format_text(struct strbuf *text, const struct db_result *res)
{
        const char *cell = db_rows(res) == 1 ? db_text(res, 0, "body") : NULL;
        strbuf_addstr(text, cell != NULL ? cell : "null");
}

static void format_version(struct strbuf *text, const struct db_result *res)
{
        const char *cell = db_rows(res) == 1 ? db_text(res, 0, "version") : NULL;
        strbuf_addstr(text, cell != NULL ? cell : "0");
}

static void reply_text(struct http_conn *conn, int status, const char *type, const struct strbuf *body)
{
        const struct http_reply reply = {
                .status = status, .content_type = type, .body = body->buf, .body_len = body->len};
        http_conn_reply(conn, &reply);
}

static struct status_facts facts_of(const struct status *st)
{
        return (struct status_facts){
                .draining = st->cfg.is_draining(st->cfg.arg),
                .database_up = st->cfg.is_intake_up(st->cfg.arg),
        };
}

static void render_livez(struct status *st, struct http_conn *conn, const struct strbuf *text)
{
        static const char alive[] = "{\"status\":\"alive\"}";
        const struct http_reply reply = {.status = 200, .body = alive, .body_len = sizeof(alive) - 1};
        (void)st;
        (void)text;
        http_conn_reply(conn, &reply);
}

static void render_health(struct status *st, struct http_conn *conn, const struct strbuf *text)
{
        _cleanup_(strbuf_deinit) struct strbuf body = STRBUF_INIT;
        const struct status_facts facts = facts_of(st);
        (void)text;
        status_page_health(&facts, &body);
        reply_text(conn, 200, NULL, &body);
}

static void render_readyz(struct status *st, struct http_conn *conn, const struct strbuf *text)
{
        _cleanup_(strbuf_deinit) struct strbuf body = STRBUF_INIT;
        const char *query = http_parse_query(http_conn_head(conn));
        bool verbose = query != NULL && strcmp(query, "verbose") == 0;
        struct status_facts facts = facts_of(st);
        facts.schema_known = text != NULL;
        /* A later schema is one that the next release has brought: it keeps this one working. */
        facts.schema_fits = text != NULL && strtoll(text->buf, NULL, 10) >= SQL_SCHEMA_VERSION;
        bool ready = status_page_readyz(&facts, verbose, &body);
        reply_text(conn, ready ? 200 : 503, NULL, &body);
}

static void render_json(struct status *st, struct http_conn *conn, const struct strbuf *text)
{
        static const struct http_reply unavailable = {
                .status = 503, .detail = "The database did not answer.", .retry_after_s = 5};
        (void)st;
        if (text != NULL)
                reply_text(conn, 200, NULL, text);
        else
                http_conn_reply(conn, &unavailable);
}

/* The rows of the database are left out when it does not answer: an old gauge would be taken for a new one.
 */
static void render_metrics(struct status *st, struct http_conn *conn, const struct strbuf *text)
{
        _cleanup_(strbuf_deinit) struct strbuf body = STRBUF_INIT;
        (void)st;
        metrics_print(&body);
        if (text != NULL)
                strbuf_add(&body, text->buf, text->len);
        reply_text(conn, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static const struct {
        int snapshot;
        void (*render)(struct status *st, struct http_conn *conn, const struct strbuf *text);
} pages[] = {
        [ROUTE_HEALTH] = {NO_SNAPSHOT, render_health},
        [ROUTE_LIVEZ] = {NO_SNAPSHOT, render_livez},
        [ROUTE_READYZ] = {SNAPSHOT_SCHEMA, render_readyz},
        [ROUTE_SUITE_STATUS] = {SNAPSHOT_STATUS, render_json},
        [ROUTE_QUEUE] = {SNAPSHOT_QUEUE, render_json},
        [ROUTE_METRICS] = {SNAPSHOT_METRICS, render_metrics},
        [ROUTE_OPENAPI] = {SNAPSHOT_OPENAPI, render_json},
};

static const struct {
        const struct db_statement *statement;
        void (*format)(struct strbuf *text, const struct db_result *res);
        int64_t ttl_ms, patience_ms;
        int64_t (*keep_ms)(const struct db_result *res);
} snapshot_kinds[] = {
        [SNAPSHOT_SCHEMA] = {&Q_SCHEMA_VERSION, format_version, 1000, 1000, NULL},
        [SNAPSHOT_STATUS] = {&Q_STATUS_SNAPSHOT, format_text, 1000, 2000, NULL},
        [SNAPSHOT_QUEUE] = {&Q_QUEUE_SNAPSHOT, format_text, 1000, 2000, NULL},
        /* A scraper gives up early, and what the page itself holds must reach it in any case. */
        [SNAPSHOT_METRICS] = {&Q_METRIC_ROWS, metric_rows_print, 0, 700, metric_rows_keep_ms},
        [SNAPSHOT_OPENAPI] = {&Q_OPENAPI, format_text, 15000, 2000, NULL},
};

enum { DEADLINE_MS = 2000 };

struct status *status_new(const struct status_config *cfg)
{
        struct status *st = xcalloc(1, sizeof(*st));
        st->cfg = *cfg;
        st->queue_pages = queue_pages_new(cfg->db);
        for (int i = 0; i < SNAPSHOT_COUNT; i++) {
                const struct snapshot_config snapshot = {
                        .loop = cfg->loop,
                        .db = cfg->db,
                        .statement = snapshot_kinds[i].statement,
                        .format = snapshot_kinds[i].format,
                        .ttl_ms = snapshot_kinds[i].ttl_ms,
                        .keep_ms = snapshot_kinds[i].keep_ms,
                        .patience_ms = snapshot_kinds[i].patience_ms,
                        .deadline_ms = DEADLINE_MS,
                };
                st->snapshots[i] = snapshot_new(&snapshot);
        }
        return st;
}

void status_free(struct status *st)
{
        if (st == NULL)
                return;
        for (int i = 0; i < SNAPSHOT_COUNT; i++)
                snapshot_free(st->snapshots[i]);
        queue_pages_free(st->queue_pages);
        free(st);
}

static void on_snapshot(void *arg, const struct strbuf *text)
{
        struct waiting *w = arg;
        pages[w->page].render(w->st, w->conn, text);
        free(w);
}

static void on_gone(void *arg)
{
        struct waiting *w = arg;
        snapshot_forget(w->st->snapshots[pages[w->page].snapshot], &w->waiter);
        free(w);
}

static void wait_for_snapshot(struct status *st, enum route_target page, struct http_conn *conn)
{
        struct waiting *w = xcalloc(1, sizeof(*w));
        *w = (struct waiting){.st = st, .page = page, .conn = conn, .waiter = {.fn = on_snapshot, .arg = w}};
        http_conn_hold(conn, on_gone, w);
        snapshot_wait(st->snapshots[pages[page].snapshot], &w->waiter);
}

void status_answer(struct status *st, enum route_target page, struct http_conn *conn)
{
        const struct strbuf *text = NULL;
        if (page == ROUTE_QUEUE && queue_pages_answer(st->queue_pages, conn))
                return;
        enum snapshot_state state = pages[page].snapshot == NO_SNAPSHOT
                                            ? SNAPSHOT_NONE
                                            : snapshot_look(st->snapshots[pages[page].snapshot], &text);
        if (state == SNAPSHOT_STALE)
                wait_for_snapshot(st, page, conn);
        else
                pages[page].render(st, conn, text);
}
