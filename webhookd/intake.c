/*
 * intake.c - see intake.h. Deliveries wait in order until the connection to the database has taken those
 * before them: a body costs a multiple of its size while it is on its way, so only WINDOW_BYTES go at once.
 */
#include "webhookd/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/db.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/strbuf.h"
#include "queries.h"
#include "webhookd/delivery_meta.h"
#include "web/http_conn.h"
#include "web/http_reply.h"
#include "webhookd/signature.h"

enum { WINDOW_BYTES = 1 << 20, RETRY_AFTER_S = 10, WARN_EVERY_MS = 1000 };

struct delivery {
        struct intake *in;
        enum route_target source;
        struct http_conn *conn;
        int64_t deadline_ms;
        size_t bytes;
        struct db_request *req; /* NULL: still waits */
        TAILQ_ENTRY(delivery) link;
};

TAILQ_HEAD(delivery_list, delivery);

struct intake {
        struct loop *loop;
        struct db *db;
        struct intake_config cfg;
        struct delivery_list waiting;
        struct delivery_list sent;
        size_t sent_bytes;
        int64_t warned_ms;
        int64_t unwarned; /* refused signatures that were not logged one by one */
};

static const char *source_name(enum route_target source)
{
        return source == ROUTE_GITEA ? "gitea" : "plane";
}

struct intake *intake_new(struct loop *loop, struct db *db)
{
        struct intake *in = xcalloc(1, sizeof(*in));
        in->loop = loop;
        in->db = db;
        TAILQ_INIT(&in->waiting);
        TAILQ_INIT(&in->sent);
        return in;
}

void intake_free(struct intake *in)
{
        if (in == NULL)
                return;
        assert(TAILQ_EMPTY(&in->waiting) && TAILQ_EMPTY(&in->sent));
        free(in);
}

void intake_configure(struct intake *in, const struct intake_config *cfg)
{
        in->cfg = *cfg;
}

static const struct signature_keys *keys_of(const struct intake *in, enum route_target source)
{
        return source == ROUTE_GITEA ? in->cfg.gitea_keys : in->cfg.plane_keys;
}

bool intake_is_on(const struct intake *in, enum route_target source)
{
        return keys_of(in, source) != NULL;
}

/* Takes the delivery off its list. What is left is the connection. */
static void delivery_free(struct delivery *d)
{
        struct intake *in = d->in;
        TAILQ_REMOVE(d->req != NULL ? &in->sent : &in->waiting, d, link);
        if (d->req != NULL)
                in->sent_bytes -= d->bytes;
        free(d);
}

static void acknowledge(struct http_conn *conn, int64_t event_id, bool duplicate)
{
        _cleanup_(strbuf_deinit) struct strbuf body = STRBUF_INIT;
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        if (duplicate)
                json_out_kbool(j, "duplicate", true);
        else
                json_out_kint(j, "event", event_id);
        json_out_object_end(j);
        json_out_finish(j, &body);
        json_out_free(j);
        const struct http_reply reply = {
                .status = duplicate ? 200 : 202, .body = body.buf, .body_len = body.len};
        http_conn_reply(conn, &reply);
}

static void turn_away(struct http_conn *conn, enum route_target source)
{
        static const struct http_reply unavailable = {
                .status = 503, .detail = "The delivery was not stored.", .retry_after_s = RETRY_AFTER_S};
        metrics_count(METRIC_INTAKE_REFUSED, 1);
        if (source == ROUTE_GITEA)
                http_conn_reply(conn, &unavailable);
        else
                http_conn_drop(conn);
}

static void on_stored_row(struct delivery *d, const struct db_result *res)
{
        int64_t event_id = db_int(res, 0, "event_id", 0);
        bool duplicate = db_bool(res, 0, "duplicate");
        metrics_count(duplicate ? METRIC_INTAKE_DUPLICATE : METRIC_INTAKE_STORED, 1);
        log_info(EV("intake.stored"), LF_S("source", source_name(d->source)), LF_I("inbox", event_id),
                 LF_S("duplicate", duplicate ? "true" : "false"), LF_I("bytes", d->bytes),
                 LF_S("peer", http_conn_peer(d->conn)));
        acknowledge(d->conn, event_id, duplicate);
}

static void pump(struct intake *in);

static void on_result(void *arg, const struct db_result *res)
{
        struct delivery *d = arg;
        struct intake *in = d->in;
        if (res->outcome == DB_OK && db_rows(res) == 1) {
                on_stored_row(d, res);
        } else {
                log_warning(EV("intake.turned-away"), LF_S("source", source_name(d->source)),
                            LF_S("stored", res->outcome == DB_UNKNOWN ? "unknown" : "no"),
                            LF_I("bytes", d->bytes), LF_S("peer", http_conn_peer(d->conn)),
                            LF_ERR(&res->err));
                turn_away(d->conn, d->source);
        }
        delivery_free(d);
        pump(in);
}

static void send_delivery(struct delivery *d, int64_t left_ms)
{
        struct intake *in = d->in;
        const struct http_parse *head = http_conn_head(d->conn);
        const struct strbuf *body = http_conn_body(d->conn);
        _cleanup_(strbuf_deinit) struct strbuf key = STRBUF_INIT, headers = STRBUF_INIT;
        _cleanup_(freep) char *hex = db_bytea_hex(body->buf, body->len);
        delivery_dedup_key(d->source, head, body, &key);
        delivery_headers(head, &headers);
        const char *const params[] = {source_name(d->source), delivery_id(d->source, head), key.buf,
                                      headers.buf, hex};
        TAILQ_REMOVE(&in->waiting, d, link);
        TAILQ_INSERT_TAIL(&in->sent, d, link);
        in->sent_bytes += d->bytes;
        d->req = db_query(in->db, &Q_EVENT_INTAKE, params, left_ms, on_result, d);
}

/* Nobody waits here without a timer: what is sent ends by its own deadline, and everyone behind it has a
 * later one. */
static void pump(struct intake *in)
{
        struct delivery *d;
        while ((d = TAILQ_FIRST(&in->waiting)) != NULL) {
                /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the freed one is off the list */
                int64_t left_ms = d->deadline_ms - loop_now_ms(in->loop);
                if (left_ms > 0 && !TAILQ_EMPTY(&in->sent) && in->sent_bytes + d->bytes > WINDOW_BYTES)
                        return;
                if (left_ms > 0) {
                        send_delivery(d, left_ms);
                        continue;
                }
                log_warning(EV("intake.turned-away"), LF_S("source", source_name(d->source)),
                            LF_S("stored", "no"), LF_I("bytes", d->bytes),
                            LF_S("peer", http_conn_peer(d->conn)),
                            LF_S("error", "waited too long for the deliveries before it"));
                struct http_conn *conn = d->conn;
                enum route_target source = d->source;
                delivery_free(d);
                turn_away(conn, source);
        }
}

/* The connection ended first: by a quick drain. What was sent may still be stored, and is then found
 * unanswered. */
static void on_gone(void *arg)
{
        struct delivery *d = arg;
        db_request_forget(d->req);
        delivery_free(d);
}

/* The same answer whatever was wrong; the log says what, at most once a second. */
static void refuse(struct intake *in, enum route_target source, struct http_conn *conn,
                   enum signature_verdict verdict)
{
        static const struct http_reply unauthorized = {.status = 401};
        static const struct {
                enum metric_id metric;
                const char *reason;
        } reasons[] = {
                [SIGNATURE_MISSING] = {METRIC_SIGNATURE_MISSING, "missing"},
                [SIGNATURE_FORMAT] = {METRIC_SIGNATURE_FORMAT, "format"},
                [SIGNATURE_WRONG] = {METRIC_SIGNATURE_WRONG, "wrong"},
        };
        int64_t now = loop_now_ms(in->loop);
        metrics_count(reasons[verdict].metric, 1);
        if (in->warned_ms == 0 || now - in->warned_ms >= WARN_EVERY_MS) {
                log_warning(EV("intake.signature"), LF_S("source", source_name(source)),
                            LF_S("reason", reasons[verdict].reason), LF_S("peer", http_conn_peer(conn)),
                            LF_I("not_logged", in->unwarned));
                in->warned_ms = now;
                in->unwarned = 0;
        } else {
                in->unwarned++;
        }
        http_conn_reply(conn, &unauthorized);
}

void intake_accept(struct intake *in, enum route_target source, struct http_conn *conn)
{
        static const char *const signature_headers[] = {
                [ROUTE_GITEA] = "x-gitea-signature", [ROUTE_PLANE] = "x-plane-signature"};
        const struct strbuf *body = http_conn_body(conn);
        const char *signature;
        unsigned n = http_parse_field(http_conn_head(conn), signature_headers[source], &signature);
        const struct signature_keys *keys = keys_of(in, source);
        enum signature_verdict verdict =
                keys != NULL ? signature_check(keys, n, signature, body->buf, body->len) : SIGNATURE_WRONG;
        if (verdict != SIGNATURE_OK) {
                refuse(in, source, conn, verdict);
                return;
        }
        struct delivery *d = xcalloc(1, sizeof(*d));
        *d = (struct delivery){.in = in,
                               .source = source,
                               .conn = conn,
                               .bytes = body->len,
                               .deadline_ms = loop_now_ms(in->loop) + in->cfg.timeout_ms};
        TAILQ_INSERT_TAIL(&in->waiting, d, link);
        http_conn_hold(conn, on_gone, d);
        pump(in);
}
