/* The exact text of answers. */
#include "web/http_reply.h"

#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

#define COMMON "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n"
#define TAIL   "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

static void expect(const struct http_reply *reply, bool head_only, const char *text)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        http_reply_write(&sb, reply, head_only, 784111777);
        assert_string_equal(sb.buf, text);
}

static void test_with_body(void **state)
{
        const struct http_reply reply = {.status = 202, .body = "{\"event\":1}", .body_len = 11};
        (void)state;
        expect(&reply, false,
               "HTTP/1.1 202 Accepted\r\n" COMMON
               "Content-Type: application/json\r\nContent-Length: 11\r\n" TAIL "\r\n{\"event\":1}");
        expect(&reply, true,
               "HTTP/1.1 202 Accepted\r\n" COMMON
               "Content-Type: application/json\r\nContent-Length: 11\r\n" TAIL "\r\n");
}

static void test_empty_body(void **state)
{
        const struct http_reply reply = {.status = 200, .content_type = "text/plain", .body = ""};
        (void)state;
        expect(&reply, false,
               "HTTP/1.1 200 OK\r\n" COMMON "Content-Type: text/plain\r\nContent-Length: 0\r\n" TAIL "\r\n");
}

static void test_problems(void **state)
{
        const struct http_reply unauthorized = {.status = 401}, method = {.status = 405, .allow = "POST"},
                                unavailable = {.status = 503, .retry_after_s = 10, .detail = "Why."};
        (void)state;
        expect(&unauthorized, false,
               "HTTP/1.1 401 Unauthorized\r\n" COMMON
               "Content-Type: application/problem+json\r\nContent-Length: 37\r\n" TAIL
               "WWW-Authenticate: HMAC-SHA256\r\n\r\n{\"title\":\"Unauthorized\",\"status\":401}");
        expect(&method, false,
               "HTTP/1.1 405 Method Not Allowed\r\n" COMMON
               "Content-Type: application/problem+json\r\nContent-Length: 43\r\n" TAIL
               "Allow: POST\r\n\r\n{\"title\":\"Method Not Allowed\",\"status\":405}");
        expect(&unavailable, false,
               "HTTP/1.1 503 Service Unavailable\r\n" COMMON
               "Content-Type: application/problem+json\r\nContent-Length: 60\r\n" TAIL
               "Retry-After: 10\r\n\r\n{\"title\":\"Service "
               "Unavailable\",\"status\":503,\"detail\":\"Why.\"}");
}

/* Each port has its own challenge. */
static void test_challenge(void **state)
{
        const struct http_reply reply = {
                .status = 401, .body = "{}", .body_len = 2, .challenge = "Bearer realm=\"a\""};
        (void)state;
        expect(&reply, false,
               "HTTP/1.1 401 Unauthorized\r\n" COMMON
               "Content-Type: application/json\r\nContent-Length: 2\r\n" TAIL
               "WWW-Authenticate: Bearer realm=\"a\"\r\n\r\n{}");
        assert_null(http_status_text(418));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_with_body),
                cmocka_unit_test(test_empty_body),
                cmocka_unit_test(test_problems),
                cmocka_unit_test(test_challenge),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
