/* What is kept of a delivery, and what makes two of them the same. */
#include "webhookd/delivery_meta.h"

#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"
#include "web/http_parse.h"

#define START     "POST /webhook/x HTTP/1.1\r\nHost: a\r\n"
#define EMPTY_SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define X32       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void parse(struct http_parse *p, const char *fields)
{
        const struct http_parse_limits limits = {.line_bytes = 2048, .head_bytes = 8192, .fields = 64};
        _cleanup_(freep) char *head = xasprintf(START "%s\r\n", fields);
        size_t used;
        http_parse_init(p, &limits);
        assert_int_equal(http_parse_feed(p, head, strlen(head), &used), HTTP_PARSE_DONE);
}

static void test_keys(void **state)
{
        static const struct {
                enum route_target source;
                const char *fields, *id, *key;
        } rows[] = {
                {ROUTE_GITEA, "X-Gitea-Delivery: 1-2-3\r\n", "1-2-3", "1-2-3"},
                {ROUTE_PLANE, "X-Plane-Delivery: 1-2-3\r\n", "1-2-3", EMPTY_SHA},
                {ROUTE_PLANE, "", NULL, EMPTY_SHA},
                {ROUTE_GITEA, "X-Plane-Delivery: 1\r\n", NULL, EMPTY_SHA},
                {ROUTE_GITEA, "X-Gitea-Delivery:\r\n", NULL, EMPTY_SHA},
                {ROUTE_GITEA, "X-Gitea-Delivery: 1\r\nX-Gitea-Delivery: 2\r\n", NULL, EMPTY_SHA},
                {ROUTE_GITEA, "X-Gitea-Delivery: a b\r\n", NULL, EMPTY_SHA},
                {ROUTE_GITEA, "X-Gitea-Delivery: \xc3\xa9\r\n", NULL, EMPTY_SHA},
                {ROUTE_GITEA, "X-Gitea-Delivery: " X32 X32 X32 X32 "\r\n", X32 X32 X32 X32, X32 X32 X32 X32},
                {ROUTE_GITEA, "X-Gitea-Delivery: " X32 X32 X32 X32 "x\r\n", NULL, EMPTY_SHA},
        };
        const struct strbuf body = STRBUF_INIT;
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf key = STRBUF_INIT;
                struct http_parse p;
                parse(&p, rows[i].fields);
                const char *id = delivery_id(rows[i].source, &p);
                assert_int_equal(id == NULL, rows[i].id == NULL);
                if (id != NULL)
                        assert_string_equal(id, rows[i].id);
                delivery_dedup_key(rows[i].source, &p, &body, &key);
                assert_string_equal(key.buf, rows[i].key);
                http_parse_deinit(&p);
        }
}

static void test_headers(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        struct http_parse p;
        (void)state;
        parse(&p,
              "X-Gitea-Event: push\r\nContent-Type: application/json\r\nAuthorization: Bearer x\r\n"
              "X-Gitea-Signature: 00\r\nX-Hub-Signature-256: 00\r\nCookie: c\r\nUser-Agent: a\"b\\c\xff\r\n");
        delivery_headers(&p, &json);
        assert_string_equal(
                json.buf, "{\"content-type\":\"application/json\",\"user-agent\":\"a\\\"b\\\\c\xef\xbf\xbd\","
                          "\"x-gitea-event\":\"push\"}");
        http_parse_deinit(&p);
}

static void test_long_header(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf fields = STRBUF_INIT, json = STRBUF_INIT;
        struct http_parse p;
        (void)state;
        strbuf_addstr(&fields, "User-Agent: ");
        for (int i = 0; i < 1000; i++)
                strbuf_addch(&fields, 'x');
        strbuf_addstr(&fields, "\r\n");
        parse(&p, fields.buf);
        delivery_headers(&p, &json);
        assert_int_equal(json.len, 256 + strlen("{\"user-agent\":\"\"}"));
        http_parse_deinit(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keys),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_long_header),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
