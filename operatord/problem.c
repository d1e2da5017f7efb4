/* problem.c - see problem.h. */
#include "operatord/problem.h"

#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "web/http_conn.h"
#include "web/http_reply.h"

static const struct {
        int status;
        const char *type, *title;
} problems[] = {
#define X(id, status, key, title) [PROBLEM_##id] = {status, "/problems/" key, title},
        PROBLEMS(X)
#undef X
};

int problem_status(enum problem problem)
{
        return problems[problem].status;
}

static void write_problem(struct strbuf *sb, enum problem problem, const struct problem_more *more)
{
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        json_out_kstr(j, "type", problems[problem].type);
        json_out_kstr(j, "title", problems[problem].title);
        json_out_kint(j, "status", problems[problem].status);
        json_out_kstr(j, "detail", more->detail);
        if (more->hint != NULL)
                json_out_kstr(j, "hint", more->hint);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
}

void problem_reply(struct http_conn *conn, enum problem problem, const struct problem_more *more)
{
        _cleanup_(strbuf_deinit) struct strbuf body = STRBUF_INIT;
        write_problem(&body, problem, more);
        const struct http_reply reply = {.status = problems[problem].status,
                                         .content_type = "application/problem+json",
                                         .body = body.buf,
                                         .body_len = body.len,
                                         .challenge = more->challenge,
                                         .retry_after_s = more->retry_after_s};
        http_conn_reply(conn, &reply);
}
