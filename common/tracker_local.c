/*
 * tracker_local.c - the tracker that is part of our own database. Both calls are one SQL function each, and
 * each is idempotent there: a state is a state, and a comment's marker is looked up before it is written.
 */
#include "common/tracker.h"

#include <stdlib.h>

#include "common/db.h"
#include "common/mem.h"
#include "queries.h"

#define CALL_DEADLINE_MS 10000

struct tracker_local {
        struct tracker tracker;
        struct db *db;
};

struct tracker_call {
        port_answer_fn *fn;
        void *arg;
        struct db_request *request;
};

static enum port_outcome outcome_of(const struct db_result *res)
{
        switch (res->outcome) {
        case DB_OK:
                return db_rows(res) == 1 && db_bool(res, 0, "found") ? PORT_OK : PORT_NOT_FOUND;
        case DB_SQL_ERROR:
                return PORT_REFUSED;
        case DB_UNAVAILABLE:
                return PORT_UNAVAILABLE;
        case DB_UNKNOWN:
                return PORT_UNKNOWN;
        }
        abort();
}

static void on_answer(void *arg, const struct db_result *res)
{
        _cleanup_(freep) struct tracker_call *call = arg;
        struct port_answer answer = {.outcome = outcome_of(res), .retry_after_s = -1, .err = res->err};
        if (answer.outcome == PORT_NOT_FOUND)
                err_set(&answer.err, "", "the local tracker has no such item");
        call->fn(call->arg, &answer);
}

static struct tracker_call *start(struct tracker *t, const struct db_statement *st, const char *const *params,
                                  port_answer_fn *fn, void *arg)
{
        struct tracker_local *local = (struct tracker_local *)t;
        struct tracker_call *call = xcalloc(1, sizeof(*call));
        call->fn = fn;
        call->arg = arg;
        call->request = db_query(local->db, st, params, CALL_DEADLINE_MS, on_answer, call);
        return call;
}

static struct tracker_call *local_set_state(struct tracker *t, const char *work_item, const char *state,
                                            port_answer_fn *fn, void *arg)
{
        const char *params[] = {work_item, state};
        return start(t, &Q_LOCAL_ITEM_SET_STATE, params, fn, arg);
}

static struct tracker_call *local_comment(struct tracker *t, const char *work_item, const char *marker,
                                          const char *body, port_answer_fn *fn, void *arg)
{
        const char *params[] = {work_item, marker, body};
        return start(t, &Q_LOCAL_ITEM_COMMENT, params, fn, arg);
}

static void local_cancel(struct tracker_call *call)
{
        db_request_forget(call->request);
        free(call);
}

static void local_free(struct tracker *t)
{
        free(t);
}

struct tracker *tracker_local_new(struct db *db)
{
        static const struct tracker_ops ops = {
                .name = "local",
                .set_state = local_set_state,
                .comment = local_comment,
                .cancel = local_cancel,
                .free = local_free,
        };
        struct tracker_local *local = xcalloc(1, sizeof(*local));
        local->tracker.ops = &ops;
        local->db = db;
        return &local->tracker;
}
