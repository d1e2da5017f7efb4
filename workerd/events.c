/* events.c - fetch a few deliveries, route them one after another, then handle; again until all is quiet. */
#include "workerd/events.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/json_read.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "queries.h"
#include "workerd/bytea.h"
#include "workerd/route.h"

#define STATEMENT_DEADLINE_MS 10000
/* A fetch holds whole bodies, as hex and as bytes: few at a time bound the memory. */
#define FETCH_EVENTS       4
#define FETCH_EVENTS_TEXT  "4"
#define HANDLE_EVENTS_TEXT "16"

struct read_event {
        int64_t id;
        struct route route;
        char *malformed; /* the reason, or NULL */
};

enum events_state {
        EVENTS_IDLE,     /* waits for a wake */
        EVENTS_FETCHING, /* waits for event_unrouted */
        EVENTS_ROUTING,  /* waits for event_route, event_route_failed or event_malformed of read[next] */
        EVENTS_HANDLING, /* waits for event_handle */
        EVENTS_STOPPED,
};

struct events {
        struct db *db;
        enum events_state state;
        bool woken;                 /* since the fetch that is under way was sent */
        struct db_request *request; /* NULL when idle */
        struct read_event read[FETCH_EVENTS];
        size_t n_read, next;
};

static void fetch(struct events *ev);
static void route_next(struct events *ev);
static void handle(struct events *ev);

static void forget_read(struct events *ev)
{
        for (size_t i = 0; i < ev->n_read; i++) {
                route_deinit(&ev->read[i].route);
                free(ev->read[i].malformed);
        }
        ev->n_read = ev->next = 0;
}

struct events *events_new(struct db *db)
{
        struct events *ev = xcalloc(1, sizeof(*ev));
        ev->db = db;
        return ev;
}

void events_free(struct events *ev)
{
        if (ev == NULL)
                return;
        db_request_forget(ev->request);
        forget_read(ev);
        free(ev);
}

void events_stop(struct events *ev)
{
        db_request_forget(take_ptr(ev->request));
        forget_read(ev);
        ev->state = EVENTS_STOPPED;
}

void events_wake(struct events *ev)
{
        ev->woken = true;
        if (ev->state == EVENTS_IDLE)
                fetch(ev);
}

/* The next beat asks again. */
static void rest(struct events *ev)
{
        forget_read(ev);
        ev->state = EVENTS_IDLE;
}

static bool succeeded(struct events *ev, const char *what, const struct db_result *res)
{
        ev->request = NULL;
        if (res->outcome == DB_OK)
                return true;
        if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("event.statement-failed"), LF_S("what", what), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next beat"));
        rest(ev);
        return false;
}

static int read_body(const char *source, const char *headers, const void *body, size_t len, struct route *ret,
                     struct errinfo *err)
{
        struct json_doc *head = NULL, *doc = NULL;
        int r = json_parse(body, len, NULL, &doc, err);
        if (r == 0) {
                /* Ours, made by webhookd: if it does not parse, the body alone must do. */
                if (headers != NULL)
                        (void)json_parse(headers, strlen(headers), NULL, &head, NULL);
                r = route_event(source, json_root(head), json_root(doc), ret, err);
        }
        json_doc_free(head);
        json_doc_free(doc);
        return r;
}

static void read_row(struct events *ev, const struct db_result *res, int row)
{
        struct read_event *e = &ev->read[ev->n_read++];
        struct errinfo err = ERRINFO_INIT;
        struct strbuf body = STRBUF_INIT;
        const char *source = db_text(res, row, "source");
        *e = (struct read_event){.id = db_int(res, row, "event_id", 0), .route = ROUTE_INIT};
        bytea_decode(&body, db_text(res, row, "body"));
        if (read_body(source != NULL ? source : "", db_text(res, row, "headers"), body.buf, body.len,
                      &e->route, &err) != ROUTE_OK)
                e->malformed = xstrdup(err.text);
        strbuf_deinit(&body);
}

static void on_fetched(void *arg, const struct db_result *res)
{
        struct events *ev = arg;
        if (!succeeded(ev, "fetch", res))
                return;
        for (int i = 0; i < db_rows(res) && ev->n_read < FETCH_EVENTS; i++)
                read_row(ev, res, i);
        ev->state = EVENTS_ROUTING;
        route_next(ev);
}

static void fetch(struct events *ev)
{
        const char *params[] = {FETCH_EVENTS_TEXT};
        ev->state = EVENTS_FETCHING;
        ev->woken = false;
        ev->request = db_query(ev->db, &Q_EVENT_UNROUTED, params, STATEMENT_DEADLINE_MS, on_fetched, ev);
}

static void on_route_failed(void *arg, const struct db_result *res)
{
        struct events *ev = arg;
        if (!succeeded(ev, "give up", res))
                return;
        const struct read_event *e = &ev->read[ev->next++];
        bool quarantined = db_rows(res) == 1 && db_bool(res, 0, "quarantined");
        if (quarantined)
                metrics_count(METRIC_EVENTS_MALFORMED, 1);
        log_warning(EV("event.route-failed"), LF_I("id", e->id),
                    LF_S("then",
                         quarantined ? "it is kept for people and not tried again" : "tried again later"));
        route_next(ev);
}

/* The statement was refused for what is in it: said of this event alone, so that the others go on. */
static void give_up_route(struct events *ev, const struct db_result *res)
{
        const struct read_event *e = &ev->read[ev->next];
        char id[24];
        const char *params[] = {id, res->err.code, res->err.text};
        (void)snprintf(id, sizeof(id), "%" PRId64, e->id);
        log_warning(EV("event.statement-failed"), LF_S("what", "route"), LF_I("id", e->id), LF_ERR(&res->err),
                    LF_S("then", "said of this event, the others go on"));
        ev->request =
                db_query(ev->db, &Q_EVENT_ROUTE_FAILED, params, STATEMENT_DEADLINE_MS, on_route_failed, ev);
}

static void on_routed(void *arg, const struct db_result *res)
{
        struct events *ev = arg;
        if (res->outcome == DB_SQL_ERROR && db_advice(res->err.code) == DB_ADVICE_NONE) {
                ev->request = NULL;
                give_up_route(ev, res);
                return;
        }
        if (!succeeded(ev, "route", res))
                return;
        ev->next++;
        route_next(ev);
}

static void on_quarantined(void *arg, const struct db_result *res)
{
        struct events *ev = arg;
        if (!succeeded(ev, "quarantine", res))
                return;
        const struct read_event *e = &ev->read[ev->next++];
        if (db_rows(res) == 1 && db_bool(res, 0, "quarantined")) {
                metrics_count(METRIC_EVENTS_MALFORMED, 1);
                log_warning(EV("event.malformed"), LF_I("id", e->id), LF_S("reason", e->malformed),
                            LF_S("then", "it is kept for people and not tried again"));
        }
        route_next(ev);
}

static void route_one(struct events *ev, const struct read_event *e)
{
        char id[24];
        (void)snprintf(id, sizeof(id), "%" PRId64, e->id);
        if (e->malformed != NULL) {
                const char *params[] = {id, e->malformed};
                ev->request = db_query(ev->db, &Q_EVENT_MALFORMED, params, STATEMENT_DEADLINE_MS,
                                       on_quarantined, ev);
                return;
        }
        const struct route *r = &e->route;
        const char *params[] = {id, r->key, r->kind, r->project, r->object, r->facts.buf};
        ev->request = db_query(ev->db, &Q_EVENT_ROUTE, params, STATEMENT_DEADLINE_MS, on_routed, ev);
}

static void route_next(struct events *ev)
{
        if (ev->next < ev->n_read) {
                route_one(ev, &ev->read[ev->next]);
                return;
        }
        bool more = ev->n_read == FETCH_EVENTS;
        forget_read(ev);
        if (more)
                fetch(ev);
        else
                handle(ev);
}

static void count_handled(const struct db_result *res, int row)
{
        const char *outcome = db_text(res, row, "outcome");
        int64_t id = db_int(res, row, "event_id", 0);
        if (outcome == NULL)
                outcome = "";
        if (strncmp(outcome, "failed", 6) == 0) {
                log_warning(EV("event.failed"), LF_I("id", id), LF_S("outcome", outcome),
                            LF_S("then", "tried again later, in the end a dead letter"));
                return;
        }
        if (strncmp(outcome, "ignored", 7) == 0) {
                metrics_count(METRIC_EVENTS_IGNORED, 1);
                log_info(EV("event.ignored"), LF_I("id", id), LF_S("outcome", outcome));
        } else {
                metrics_count(METRIC_EVENTS_HANDLED, 1);
                log_info(EV("event.handled"), LF_I("id", id), LF_S("outcome", outcome));
        }
}

static void on_handled(void *arg, const struct db_result *res)
{
        struct events *ev = arg;
        if (!succeeded(ev, "handle", res))
                return;
        for (int i = 0; i < db_rows(res); i++)
                count_handled(res, i);
        if (db_rows(res) > 0)
                handle(ev); /* the next of each key may be free now */
        else if (ev->woken)
                fetch(ev);
        else
                rest(ev);
}

static void handle(struct events *ev)
{
        const char *params[] = {HANDLE_EVENTS_TEXT};
        ev->state = EVENTS_HANDLING;
        ev->request = db_query(ev->db, &Q_EVENT_HANDLE, params, STATEMENT_DEADLINE_MS, on_handled, ev);
}
