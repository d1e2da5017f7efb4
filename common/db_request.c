/*
 * db_request.c - requests: the queue, their deadlines, and what an answer, or none, means for them.
 *
 * A request is in one place at a time: in the queue, on the wire (`current`), in the list of those done, or
 * being delivered. Its deadline runs in the first two.
 */
#include "common/db_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"

#define TRIES_MAX 5 /* of a statement that lost against another one, and was rolled back */

enum place { QUEUED, SENT, DONE, DELIVERING };

struct db_request {
        TAILQ_ENTRY(db_request) link;
        struct db *db;
        enum place place;
        const struct db_statement *st;
        char **params;
        int64_t deadline_ms; /* as given, for messages */
        struct loop_timer *deadline;
        unsigned tries;
        db_result_fn *fn; /* NULL: forgotten while on the wire */
        void *arg;
        struct db_result result;
        PGresult *pg; /* owned; result.pg borrows it */
};

static void request_free(struct db_request *req)
{
        loop_timer_free(req->deadline);
        PQclear(req->pg);
        for (int i = 0; i < req->st->n_params; i++)
                free(req->params[i]);
        free(req->params);
        free(req);
}

/* ---- the end of a request ---- */

static void count(enum db_outcome outcome)
{
        static const enum metric_id metrics[] = {
                [DB_OK] = METRIC_DB_REQUESTS_OK,
                [DB_SQL_ERROR] = METRIC_DB_REQUESTS_ERROR,
                [DB_UNAVAILABLE] = METRIC_DB_REQUESTS_UNAVAILABLE,
                [DB_UNKNOWN] = METRIC_DB_REQUESTS_UNKNOWN,
        };
        metrics_count(metrics[outcome], 1);
}

/* Takes `pg`. The request must have left its list. */
static void finish(struct db_request *req, enum db_outcome outcome, const struct errinfo *err, PGresult *pg)
{
        struct db *db = req->db;
        count(outcome);
        loop_timer_disarm(req->deadline);
        req->pg = pg;
        req->result = (struct db_result){.outcome = outcome, .err = *err, .pg = pg};
        if (req->fn == NULL) {
                request_free(req);
                return;
        }
        req->place = DONE;
        TAILQ_INSERT_TAIL(&db->done, req, link);
        loop_timer_soon(db->soon);
}

static struct db_request *take_current(struct db *db)
{
        struct db_request *req = db->current;
        db->current = NULL;
        return req;
}

struct db_request *db_request_next_done(struct db *db)
{
        struct db_request *req = TAILQ_FIRST(&db->done);
        if (req != NULL)
                TAILQ_REMOVE(&db->done, req, link);
        return req;
}

void db_request_deliver(struct db_request *req)
{
        req->place = DELIVERING;
        req->fn(req->arg, &req->result);
        request_free(req);
}

/* The statement's name leads, for whoever reads the log; but not in a refusal by our own functions, whose
 * text is written for the person who asked. */
static void name_statement(const struct db_request *req, struct errinfo *err)
{
        if (strncmp(err->code, "OR", 2) != 0)
                err_set(err, err->code, "%s: %s", req->st->name, err->text);
}

/* ---- what an answer means ---- */

static enum db_outcome outcome_of(const struct db_answer *a)
{
        const char *sqlstate = db_answer_sqlstate(a);
        if (a->error == NULL && !a->broken)
                return a->alone ? DB_UNKNOWN : DB_OK; /* it is on one server only, and may go with it */
        if (sqlstate == NULL)
                return DB_UNKNOWN; /* libpq's words, not the server's */
        if (a->broken) /* cut off by the server: before the commit, or, with a result, perhaps after it */
                return a->ok == NULL ? DB_UNAVAILABLE : DB_UNKNOWN;
        if (db_advice(sqlstate) != DB_ADVICE_RECONNECT)
                return DB_SQL_ERROR;
        return strncmp(sqlstate, "08", 2) == 0 ? DB_UNKNOWN : DB_UNAVAILABLE;
}

static bool wants_retry(struct db *db, enum db_outcome outcome)
{
        return outcome == DB_SQL_ERROR && db_advice(db_answer_sqlstate(&db->answer)) == DB_ADVICE_RETRY &&
               db->current->tries < TRIES_MAX;
}

static void queue_again(struct db *db)
{
        struct db_request *req = take_current(db);
        req->place = QUEUED;
        TAILQ_INSERT_HEAD(&db->queue, req, link);
}

static void go_on(struct db *db)
{
        db_set_state(db, DB_IDLE);
        db->answered = true;
        db_answer_clear(&db->answer);
        db_request_pump(db);
}

void db_request_settle(struct db *db)
{
        enum db_outcome outcome = outcome_of(&db->answer);
        struct errinfo reason = ERRINFO_INIT, named = ERRINFO_INIT;
        if (wants_retry(db, outcome)) {
                queue_again(db);
                go_on(db);
                return;
        }
        if (outcome != DB_OK) {
                db_statement_error(db, &reason);
                named = reason;
                name_statement(db->current, &named);
        }
        finish(take_current(db), outcome, &named, outcome == DB_OK ? take_ptr(db->answer.ok) : NULL);
        if (outcome == DB_OK || outcome == DB_SQL_ERROR)
                go_on(db);
        else
                db_conn_lost(db, &reason);
}

/* ---- sending ---- */

/* A statement that cannot be sent is kept for the next connection when this one is the reason. */
static void could_not_send(struct db *db, struct db_request *req)
{
        struct errinfo err = ERRINFO_INIT;
        db_statement_error(db, &err);
        if (PQstatus(db->conn) == CONNECTION_OK) {
                struct errinfo named = err;
                name_statement(req, &named);
                TAILQ_REMOVE(&db->queue, req, link);
                finish(req, DB_SQL_ERROR, &named, NULL);
        }
        db_conn_lost(db, &err);
}

/* Looking first keeps a request from being sent into a connection that is known to be dead, and so from an
 * unknown outcome. */
static bool still_there(struct db *db)
{
        if (db_statement_receive(db) && db->last_words.text[0] == '\0')
                return true;
        struct errinfo err = ERRINFO_INIT;
        db_statement_error(db, &err);
        db_conn_lost(db, &err);
        return false;
}

void db_request_pump(struct db *db)
{
        struct db_request *req = TAILQ_FIRST(&db->queue);
        if (db->state != DB_IDLE || req == NULL || !still_there(db))
                return;
        if (!db_statement_send(db, req->st->sql, req->st->n_params, (const char *const *)req->params)) {
                could_not_send(db, req);
                return;
        }
        TAILQ_REMOVE(&db->queue, req, link);
        req->place = SENT;
        req->tries++;
        db->current = req;
        db_set_state(db, DB_BUSY);
}

/* ---- deadlines ---- */

static void on_deadline(void *arg)
{
        struct db_request *req = arg;
        struct db *db = req->db;
        struct errinfo err = ERRINFO_INIT, named;
        bool sent = req->place == SENT;
        err_set(&err, "", "%s within %lld ms",
                sent           ? "no answer"
                : db_is_up(db) ? "not its turn"
                               : "no connection to the database",
                (long long)req->deadline_ms);
        named = err;
        name_statement(req, &named);
        if (sent) {
                finish(take_current(db), DB_UNKNOWN, &named, NULL);
                db->answered = false; /* whatever it did before: another host may be the better one */
                db_conn_lost(db, &err);
        } else {
                TAILQ_REMOVE(&db->queue, req, link);
                finish(req, DB_UNAVAILABLE, &named, NULL);
        }
}

/* ---- the interface ---- */

struct db_request *db_query(struct db *db, const struct db_statement *st, const char *const *params,
                            int64_t deadline_ms, db_result_fn *fn, void *arg)
{
        assert(fn != NULL);
        struct db_request *req = xmalloc(sizeof(*req));
        *req = (struct db_request){
                .db = db, .place = QUEUED, .st = st, .deadline_ms = deadline_ms, .fn = fn, .arg = arg};
        req->params = xcalloc((size_t)st->n_params, sizeof(*req->params));
        for (int i = 0; i < st->n_params; i++)
                req->params[i] = params[i] != NULL ? xstrdup(params[i]) : NULL;
        req->deadline = loop_timer_new(db->loop, on_deadline, req);
        loop_timer_arm(req->deadline, deadline_ms);
        TAILQ_INSERT_TAIL(&db->queue, req, link);
        loop_timer_soon(db->soon);
        return req;
}

void db_request_forget(struct db_request *req)
{
        if (req == NULL || req->place == DELIVERING)
                return;
        if (req->place == SENT) {
                req->fn = NULL; /* the connection cannot be used before the answer has come */
                return;
        }
        TAILQ_REMOVE(req->place == QUEUED ? &req->db->queue : &req->db->done, req, link);
        request_free(req);
}

static void drop_list(struct db_request_list *list)
{
        struct db_request *req;
        while ((req = TAILQ_FIRST(list)) != NULL) {
                TAILQ_REMOVE(list, req, link);
                request_free(req);
        }
}

void db_request_drop_all(struct db *db)
{
        drop_list(&db->queue);
        drop_list(&db->done);
        if (db->current != NULL)
                request_free(take_current(db));
}
