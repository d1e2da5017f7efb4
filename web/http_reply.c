/* http_reply.c - see http_reply.h. */
#include "web/http_reply.h"

#include <assert.h>
#include <string.h>

#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"

const char *http_status_text(int status)
{
        static const struct {
                int status;
                const char *text;
        } texts[] = {
                {200, "OK"},
                {202, "Accepted"},
                {400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {409, "Conflict"},
                {411, "Length Required"},
                {413, "Content Too Large"},
                {414, "URI Too Long"},
                {415, "Unsupported Media Type"},
                {417, "Expectation Failed"},
                {422, "Unprocessable Content"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {501, "Unknown Method"},
                {503, "Service Unavailable"},
                {505, "HTTP Version Not Supported"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                if (texts[i].status == status)
                        return texts[i].text;
        }
        return NULL;
}

static void write_problem(struct strbuf *sb, const struct http_reply *reply)
{
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        json_out_kstr(j, "title", http_status_text(reply->status));
        json_out_kint(j, "status", reply->status);
        if (reply->detail != NULL)
                json_out_kstr(j, "detail", reply->detail);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
}

static void write_date(struct strbuf *sb, time_t now)
{
        struct tm tm;
        char date[64];
        /* The program never calls setlocale(): the names of days and months are English. */
        size_t n = strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &tm));
        strbuf_add(sb, date, n);
}

static void write_head(struct strbuf *sb, const struct http_reply *reply, const char *type, size_t length,
                       time_t now)
{
        assert(http_status_text(reply->status) != NULL);
        strbuf_addf(sb, "HTTP/1.1 %d %s\r\n", reply->status, http_status_text(reply->status));
        write_date(sb, now);
        strbuf_addf(sb, "Connection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", type, length);
        strbuf_addstr(sb, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
        if (reply->allow != NULL)
                strbuf_addf(sb, "Allow: %s\r\n", reply->allow);
        if (reply->retry_after_s > 0)
                strbuf_addf(sb, "Retry-After: %d\r\n", reply->retry_after_s);
        if (reply->status == 401) /* RFC 9110 wants a challenge */
                strbuf_addf(sb, "WWW-Authenticate: %s\r\n",
                            reply->challenge != NULL ? reply->challenge : "HMAC-SHA256");
        strbuf_addstr(sb, "\r\n");
}

void http_reply_write(struct strbuf *sb, const struct http_reply *reply, bool head_only, time_t now)
{
        _cleanup_(strbuf_deinit) struct strbuf problem = STRBUF_INIT;
        const char *type = reply->content_type != NULL ? reply->content_type : "application/json";
        const char *body = reply->body;
        size_t length = reply->body_len;
        if (body == NULL) {
                write_problem(&problem, reply);
                type = "application/problem+json";
                body = problem.buf;
                length = problem.len;
        }
        write_head(sb, reply, type, length, now);
        if (!head_only)
                strbuf_add(sb, body, length);
}
