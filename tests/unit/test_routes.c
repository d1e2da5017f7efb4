/* Which head is taken by which route, and what the others are told. */
#include "web/routes.h"

#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"
#include "web/http_parse.h"
#include "web/http_reply.h"

enum { MAX_BODY = 100 };

static bool plane_is_off(void *arg, enum route_target target)
{
        (void)arg;
        return target != ROUTE_PLANE;
}

/* The target, or minus the status of the refusal. */
static int match(enum route_listener listener, const char *head, struct http_reply *refusal)
{
        const struct http_parse_limits limits = {.line_bytes = 2048, .head_bytes = 4096, .fields = 64};
        const struct route_rules rules = {
                .listener = listener, .max_body_bytes = MAX_BODY, .is_on = plane_is_off};
        struct http_parse p;
        size_t used;
        http_parse_init(&p, &limits);
        assert_int_equal(http_parse_feed(&p, head, strlen(head), &used), HTTP_PARSE_DONE);
        const struct route *route = routes_match(&rules, &p, refusal);
        http_parse_deinit(&p);
        return route != NULL ? (int)route->target : -refusal->status;
}

#define HOST       " HTTP/1.1\r\nHost: a\r\n"
#define JSON       "Content-Type: application/json\r\n"
#define LENGTH(n)  "Content-Length: " #n "\r\n"
#define POST(path) "POST " path HOST

static void test_table(void **state)
{
        static const struct {
                enum route_listener listener;
                const char *head;
                int expect;
        } rows[] = {
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON LENGTH(2), ROUTE_GITEA},
                {ROUTE_PUBLIC, POST("/webhook/gitea?hook=1") JSON LENGTH(2), ROUTE_GITEA},
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON LENGTH(0), ROUTE_GITEA},
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON LENGTH(100), ROUTE_GITEA},
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON LENGTH(101), -413},
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON LENGTH(99999999999999999999), -413},
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON, -411},
                {ROUTE_PUBLIC, POST("/webhook/gitea") LENGTH(2), -415},
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON JSON LENGTH(2), -415},
                {ROUTE_PUBLIC, POST("/webhook/gitea") JSON LENGTH(2) "Content-Encoding: gzip\r\n", -415},
                {ROUTE_PUBLIC,
                 POST("/webhook/gitea") LENGTH(2) "Content-Type: Application/JSON; charset=utf-8\r\n",
                 ROUTE_GITEA},
                {ROUTE_PUBLIC, POST("/webhook/gitea") LENGTH(2) "Content-Type: application/json ;x\r\n",
                 ROUTE_GITEA},
                {ROUTE_PUBLIC, POST("/webhook/gitea") LENGTH(2) "Content-Type: application/jsonx\r\n", -415},
                {ROUTE_PUBLIC, POST("/webhook/gitea") LENGTH(2) "Content-Type: application/json, a/b\r\n",
                 -415},
                {ROUTE_PUBLIC, POST("/webhook/gitea") LENGTH(2) "Content-Type: text/json\r\n", -415},
                {ROUTE_PUBLIC, POST("/webhook/gitea") LENGTH(2) "Content-Type:\r\n", -415},
                {ROUTE_PUBLIC,
                 POST("/webhook/gitea") LENGTH(2) "Content-Type: application/x-www-form-urlencoded\r\n",
                 -415},
                {ROUTE_PUBLIC, "GET /webhook/gitea" HOST, -405},
                {ROUTE_PUBLIC, "PUT /webhook/gitea" HOST LENGTH(2), -405},
                {ROUTE_PUBLIC, POST("/webhook/plane") JSON LENGTH(2), -404}, /* no secret is configured */
                {ROUTE_PUBLIC, POST("/webhook/gitea/") JSON LENGTH(2), -404},
                {ROUTE_PUBLIC, POST("/webhook//gitea") JSON LENGTH(2), -404},
                {ROUTE_PUBLIC, POST("/webhook/%67itea") JSON LENGTH(2), -404},
                {ROUTE_PUBLIC, POST("/webhook/./gitea") JSON LENGTH(2), -404},
                {ROUTE_PUBLIC, POST("/webhook/Gitea") JSON LENGTH(2), -404},
                {ROUTE_PUBLIC, "GET /health" HOST, -404},
                {ROUTE_PUBLIC, "GET /metrics" HOST, -404},
                {ROUTE_STATUS, "GET /health" HOST, ROUTE_HEALTH},
                {ROUTE_STATUS, "HEAD /health" HOST, ROUTE_HEALTH},
                {ROUTE_STATUS, "GET /livez" HOST, ROUTE_LIVEZ},
                {ROUTE_STATUS, "GET /readyz?verbose" HOST, ROUTE_READYZ},
                {ROUTE_STATUS, "GET /status" HOST, ROUTE_SUITE_STATUS},
                {ROUTE_STATUS, "GET /queue" HOST LENGTH(0), ROUTE_QUEUE},
                {ROUTE_STATUS, "GET /metrics" HOST, ROUTE_METRICS},
                {ROUTE_STATUS, "GET /metrics" HOST LENGTH(1), -413},
                {ROUTE_STATUS, POST("/metrics") JSON LENGTH(2), -405},
                {ROUTE_STATUS, POST("/webhook/gitea") JSON LENGTH(2), -404},
                {ROUTE_STATUS, "GET /" HOST, -404},
                {ROUTE_STATUS, "GET /openapi.json" HOST, -404},
                {ROUTE_STATUS, POST("/tasks/X-1/cancel") JSON LENGTH(2), -404},
                {ROUTE_PUBLIC, POST("/tasks/X-1/cancel") JSON LENGTH(2), -404},
                {ROUTE_PUBLIC, "GET /openapi.json" HOST, -404},
                {ROUTE_OPERATOR, "GET /queue" HOST, ROUTE_QUEUE},
                {ROUTE_OPERATOR, "HEAD /metrics" HOST, ROUTE_METRICS},
                {ROUTE_OPERATOR, "GET /openapi.json" HOST, ROUTE_OPENAPI},
                {ROUTE_OPERATOR, POST("/queue") JSON LENGTH(2), -405},
                {ROUTE_OPERATOR, POST("/tasks/X-1/cancel"), ROUTE_ACT}, /* all in the query, or nothing */
                {ROUTE_OPERATOR, POST("/tasks/X-1/cancel") LENGTH(0), ROUTE_ACT},
                {ROUTE_OPERATOR, POST("/tasks/X-1/cancel") JSON LENGTH(100), ROUTE_ACT},
                {ROUTE_OPERATOR, POST("/tasks/X-1/cancel") JSON LENGTH(101), -413},
                {ROUTE_OPERATOR, POST("/tasks/X-1/cancel") LENGTH(2), -415},
                {ROUTE_OPERATOR, POST("/webhook/gitea") JSON LENGTH(2), ROUTE_ACT}, /* no such act */
                {ROUTE_OPERATOR, "DELETE /tasks" HOST, ROUTE_ACT}, /* the acts say which methods */
                {ROUTE_OPERATOR, "DELETE /tasks" HOST LENGTH(1), -413},
                {ROUTE_OPERATOR, "GET /tasks" HOST LENGTH(1), -413},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(freep) char *head = xasprintf("%s\r\n", rows[i].head);
                struct http_reply refusal = {.status = 0};
                int got = match(rows[i].listener, head, &refusal);
                if (got != rows[i].expect)
                        print_error("row %zu: %s", i, head);
                assert_int_equal(got, rows[i].expect);
        }
}

static void test_allow(void **state)
{
        struct http_reply refusal = {.status = 0};
        (void)state;
        assert_int_equal(match(ROUTE_PUBLIC, "GET /webhook/gitea" HOST "\r\n", &refusal), -405);
        assert_string_equal(refusal.allow, "POST");
        assert_int_equal(match(ROUTE_STATUS, "OPTIONS /queue" HOST "\r\n", &refusal), -405);
        assert_string_equal(refusal.allow, "GET, HEAD");
        assert_int_equal(match(ROUTE_STATUS, "GET /x" HOST "\r\n", &refusal), -404);
        assert_null(refusal.allow);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_allow),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
