/* queue_page.c - see queue_page.h. */
#include "web/queue_page.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/db.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "queries.h"
#include "web/http_conn.h"
#include "web/http_parse.h"
#include "web/http_reply.h"

enum { UNDER_WAY_MAX = 8, KEY_MAX = 200, DEADLINE_MS = 2000, RETRY_AFTER_S = 1 };

/* What orch.refuse() raises for a value that is none. */
static const char BAD_INPUT[] = "OR003";

struct queue_pages {
        struct db *db;
        int under_way;
};

struct request {
        struct queue_pages *pages;
        struct http_conn *conn;
        struct db_request *req;
};

struct queue_pages *queue_pages_new(struct db *db)
{
        struct queue_pages *q = xcalloc(1, sizeof(*q));
        q->db = db;
        return q;
}

void queue_pages_free(struct queue_pages *q)
{
        free(q);
}

static void refuse(struct http_conn *conn)
{
        static const struct http_reply no_page = {
                .status = 400,
                .detail = "No page begins there: take `after` from \"next\" of the page before."};
        http_conn_reply(conn, &no_page);
}

static void reply_unavailable(struct http_conn *conn)
{
        static const struct http_reply unavailable = {
                .status = 503, .detail = "The database did not answer.", .retry_after_s = RETRY_AFTER_S};
        http_conn_reply(conn, &unavailable);
}

static void request_free(struct request *r)
{
        r->pages->under_way--;
        free(r);
}

static void on_result(void *arg, const struct db_result *res)
{
        struct request *r = arg;
        struct http_conn *conn = r->conn;
        const char *body = res->outcome == DB_OK && db_rows(res) == 1 ? db_text(res, 0, "body") : NULL;
        request_free(r);
        if (body != NULL) {
                http_conn_reply(conn,
                                &(struct http_reply){.status = 200, .body = body, .body_len = strlen(body)});
        } else if (res->outcome == DB_SQL_ERROR && strcmp(res->err.code, BAD_INPUT) == 0) {
                refuse(conn);
        } else {
                log_warning(EV("status.query-failed"), LF_S("query", Q_QUEUE_PAGE.name), LF_ERR(&res->err));
                reply_unavailable(conn);
        }
}

static void on_gone(void *arg)
{
        struct request *r = arg;
        db_request_forget(r->req);
        request_free(r);
}

/* The key as it was before a client escaped its colon, the only character of one that anybody escapes. */
static bool decode(const char *text, struct strbuf *ret_key)
{
        static const char colon[] = "%3A";
        for (const char *c = text; *c != '\0'; c++) {
                bool escaped = strncasecmp(c, colon, sizeof(colon) - 1) == 0;
                if (*c == '&' || (*c == '%' && !escaped) || ret_key->len == KEY_MAX)
                        return false;
                strbuf_addch(ret_key, escaped ? ':' : *c);
                c += escaped ? sizeof(colon) - 2 : 0;
        }
        return ret_key->len > 0;
}

static void ask(struct queue_pages *q, struct http_conn *conn, const char *key)
{
        const char *const params[] = {key};
        struct request *r = xcalloc(1, sizeof(*r));
        *r = (struct request){.pages = q, .conn = conn};
        q->under_way++;
        http_conn_hold(conn, on_gone, r);
        r->req = db_query(q->db, &Q_QUEUE_PAGE, params, DEADLINE_MS, on_result, r);
}

bool queue_pages_answer(struct queue_pages *q, struct http_conn *conn)
{
        static const char after[] = "after=";
        _cleanup_(strbuf_deinit) struct strbuf key = STRBUF_INIT;
        const char *query = http_parse_query(http_conn_head(conn));
        if (query == NULL || strncmp(query, after, sizeof(after) - 1) != 0)
                return false;
        if (!decode(query + sizeof(after) - 1, &key))
                refuse(conn);
        else if (q->under_way == UNDER_WAY_MAX || !db_is_up(q->db))
                reply_unavailable(conn);
        else
                ask(q, conn, key.buf);
        return true;
}
