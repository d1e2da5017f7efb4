/* acts.c - see acts.h. */
#include "operatord/acts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "operatord/arguments.h"
#include "operatord/problem.h"
#include "common/tokens.h"
#include "queries.h"
#include "web/http_conn.h"
#include "web/http_reply.h"

/* Above the statement timeout of the connection (operatord.c): the server gives up first, and then it is
 * known that nothing was done. */
enum { DEADLINE_MS = 12000, RETRY_AFTER_S = 5 };

#define QUERY_CANCELED "57014"

struct acts {
        struct loop *loop;
        struct db *db;
};

struct request {
        struct acts *acts;
        struct http_conn *conn;
        struct db_request *req;
        int64_t begun_ms;
        bool is_act; /* else it only looks */
        char actor[TOKEN_NAME_BYTES + 1];
};

struct acts *acts_new(struct loop *loop, struct db *db)
{
        struct acts *a = xcalloc(1, sizeof(*a));
        a->loop = loop;
        a->db = db;
        return a;
}

void acts_free(struct acts *a)
{
        free(a);
}

static const char *method_of(const struct http_conn *conn)
{
        const struct http_parse *head = http_conn_head(conn);
        return head->method == HTTP_METHOD_HEAD ? "GET" : http_parse_method(head);
}

/* --- the answer --- */

static void count(const struct request *r, int status)
{
        static const enum metric_id ids[2][3] = {
                {METRIC_OPERATOR_LOOK_2XX, METRIC_OPERATOR_LOOK_4XX, METRIC_OPERATOR_LOOK_5XX},
                {METRIC_OPERATOR_ACT_2XX, METRIC_OPERATOR_ACT_4XX, METRIC_OPERATOR_ACT_5XX},
        };
        metrics_count(ids[r->is_act][status >= 500 ? 2 : status >= 400 ? 1 : 0], 1);
}

/* Who has done what; the parameters are in the audit, and may be nobody's business here. */
static void log_request(const struct request *r, int status, const struct errinfo *err)
{
        const struct http_parse *head = http_conn_head(r->conn);
        int64_t ms = loop_now_ms(r->acts->loop) - r->begun_ms;
        if (err != NULL)
                log_warning(EV("operator.failed"), LF_S("actor", r->actor),
                            LF_S("method", method_of(r->conn)), LF_S("path", http_parse_path(head)),
                            LF_I("status", status), LF_I("ms", ms), LF_S("peer", http_conn_peer(r->conn)),
                            LF_ERR(err));
        else if (r->is_act)
                log_info(EV("operator.act"), LF_S("actor", r->actor), LF_S("path", http_parse_path(head)),
                         LF_I("status", status), LF_I("ms", ms), LF_S("peer", http_conn_peer(r->conn)));
        else
                log_debug(EV("operator.look"), LF_S("actor", r->actor), LF_S("path", http_parse_path(head)),
                          LF_I("status", status), LF_I("ms", ms), LF_S("peer", http_conn_peer(r->conn)));
}

static void reply_problem(struct request *r, enum problem problem, const struct problem_more *more,
                          const struct errinfo *err)
{
        count(r, problem_status(problem));
        log_request(r, problem_status(problem), err);
        problem_reply(r->conn, problem, more);
}

/* What the database could not say. */
static void reply_failure(struct request *r, const struct db_result *res)
{
        static const struct problem_more
                unknown = {.detail = "The connection to the database was lost before its answer came: it is "
                                     "unknown "
                                     "whether the act was done.",
                           .hint = "The act is idempotent: repeat it",
                           .retry_after_s = RETRY_AFTER_S},
                unavailable = {.detail = "The database does not answer. Nothing was done.",
                               .hint = "Try again later",
                               .retry_after_s = RETRY_AFTER_S},
                busy = {.detail = "The database took too long. Nothing was done.",
                        .hint = "Try again",
                        .retry_after_s = RETRY_AFTER_S},
                internal = {.detail =
                                    "The database refused the request. Nothing was done; the log says why."};
        if (res->outcome == DB_UNKNOWN)
                reply_problem(r, PROBLEM_UNKNOWN, &unknown, &res->err);
        else if (res->outcome == DB_UNAVAILABLE)
                reply_problem(r, PROBLEM_UNAVAILABLE, &unavailable, &res->err);
        else if (strcmp(res->err.code, QUERY_CANCELED) == 0)
                reply_problem(r, PROBLEM_BUSY, &busy, &res->err);
        else
                reply_problem(r, PROBLEM_INTERNAL, &internal, &res->err);
}

static void reply_answer(struct request *r, const struct db_result *res)
{
        static const struct problem_more no_answer = {.detail = "The database gave an answer that is none."};
        int status = (int)db_int(res, 0, "status", 0);
        const char *body = db_text(res, 0, "body");
        if (http_status_text(status) == NULL || body == NULL) {
                const struct errinfo err = {.text = "http_act() gave no status and body"};
                reply_problem(r, PROBLEM_INTERNAL, &no_answer, &err);
                return;
        }
        const struct http_reply reply = {
                .status = status,
                .content_type = status < 400 ? "application/json" : "application/problem+json",
                .body = body,
                .body_len = strlen(body),
                .allow = db_text(res, 0, "allow"),
                .retry_after_s = (int)db_int(res, 0, "retry_after_s", 0),
        };
        count(r, status);
        log_request(r, status, NULL);
        http_conn_reply(r->conn, &reply);
}

static void on_result(void *arg, const struct db_result *res)
{
        struct request *r = arg;
        if (res->outcome == DB_OK && db_rows(res) == 1)
                reply_answer(r, res);
        else
                reply_failure(r, res);
        free(r);
}

/* The client has gone. What was sent is done, and nobody hears of it but the audit. */
static void on_gone(void *arg)
{
        struct request *r = arg;
        db_request_forget(r->req);
        free(r);
}

/* --- the request --- */

static void send_request(struct request *r, const struct arguments *args, enum token_scope scope)
{
        const char *const params[] = {method_of(r->conn), http_parse_path(http_conn_head(r->conn)),
                                      args->query.buf,    args->body.buf,
                                      r->actor,           token_scope_name(scope)};
        http_conn_hold(r->conn, on_gone, r);
        r->req = db_query(r->acts->db, &Q_HTTP_ACT, params, DEADLINE_MS, on_result, r);
}

void acts_accept(struct acts *a, struct http_conn *conn, const struct token *token)
{
        _cleanup_(arguments_deinit) struct arguments args = ARGUMENTS_INIT;
        const struct http_parse *head = http_conn_head(conn);
        const struct strbuf *body = http_conn_body(conn);
        struct errinfo err = ERRINFO_INIT;
        struct request *r = xcalloc(1, sizeof(*r));
        r->acts = a;
        r->conn = conn;
        r->begun_ms = loop_now_ms(a->loop);
        r->is_act = head->method == HTTP_METHOD_POST;
        memcpy(r->actor, token->name, sizeof(r->actor));
        if (arguments_read(http_parse_query(head), body->buf, body->len, &args, &err) == 0) {
                send_request(r, &args, token->scope);
                return;
        }
        reply_problem(r, PROBLEM_PARAMETER, &(struct problem_more){.detail = err.text}, NULL);
        free(r);
}
