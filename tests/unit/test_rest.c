/* What the answers of JSON services mean, and a whole call against a peer on the same loop (I-1, I-7). */
#include "common/rest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "tests/unit/http_fixture.h"

static void test_outcomes(void **state)
{
        static const struct {
                const char *method;
                int status;
                enum port_outcome outcome;
        } rows[] = {
                {"GET", 200, PORT_OK},         {"POST", 201, PORT_OK},         {"DELETE", 204, PORT_OK},
                {"GET", 301, PORT_REFUSED},    {"POST", 302, PORT_REFUSED},    {"POST", 400, PORT_REFUSED},
                {"GET", 401, PORT_DENIED},     {"GET", 403, PORT_REFUSED},     {"GET", 404, PORT_NOT_FOUND},
                {"GET", 410, PORT_NOT_FOUND},  {"POST", 405, PORT_REFUSED},    {"POST", 409, PORT_CONFLICT},
                {"PATCH", 412, PORT_CONFLICT}, {"POST", 422, PORT_REFUSED},    {"POST", 423, PORT_REFUSED},
                {"GET", 429, PORT_LIMITED},    {"GET", 500, PORT_UNAVAILABLE}, {"POST", 500, PORT_UNKNOWN},
                {"PATCH", 503, PORT_UNKNOWN},  {"DELETE", 502, PORT_UNKNOWN},  {"GET", 408, PORT_UNAVAILABLE},
                {"POST", 408, PORT_UNKNOWN},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (rest_outcome(rows[i].method, rows[i].status) != rows[i].outcome)
                        fail_msg("%s %d is %s", rows[i].method, rows[i].status,
                                 port_outcome_name(rest_outcome(rows[i].method, rows[i].status)));
}

static void test_reasons(void **state)
{
        static const struct {
                const char *body, *reason;
        } rows[] = {
                {"{\"message\":\"head out of date\",\"url\":\"x\"}", "head out of date"},
                {"{\"ok\":false,\"description\":\"Bad Request: chat not found\"}",
                 "Bad Request: chat not found"},
                {"{\"error\":\"x\",\"id\":\"1\"}", "x"},
                {"{\"error_code\":5900,\"error_message\":\"RATE_LIMIT_EXCEEDED\"}", "RATE_LIMIT_EXCEEDED"},
                {"{\"state\":[\"State is not valid\"]}", "State is not valid"},
                {"{\"message\":\"\",\"detail\":\"d\"}", "d"},
                {"{\"Style\":\"merge\",\"StdOut\":\"\",\"Err\":\"exit status 1\"}", "exit status 1"},
                {"{}", NULL},
                {"[]", NULL},
                {"{\"a\":{\"b\":{\"c\":{\"d\":\"too deep\"}}}}", NULL},
        };
        const struct json_limits limits = JSON_LIMITS_DEFAULT;
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct json_doc *doc = NULL;
                assert_int_equal(json_parse(rows[i].body, strlen(rows[i].body), &limits, &doc, NULL), 0);
                const char *reason = rest_reason(json_root(doc));
                if ((reason == NULL) != (rows[i].reason == NULL) ||
                    (reason != NULL && strcmp(reason, rows[i].reason) != 0))
                        fail_msg("%s: %s", rows[i].body, reason != NULL ? reason : "(none)");
                json_doc_free(doc);
        }
        assert_null(rest_reason(NULL));
}

static void test_encoding(void **state)
{
        struct strbuf sb = STRBUF_INIT;
        (void)state;
        rest_encode(&sb, "feature/ORCH-1 a%?#\xc3\xa4~", "/");
        assert_string_equal(sb.buf, "feature/ORCH-1%20a%25%3F%23%C3%A4~");
        strbuf_reset(&sb);
        rest_encode(&sb, "a/b", "");
        assert_string_equal(sb.buf, "a%2Fb");
        strbuf_deinit(&sb);
}

/* ---- whole calls ---- */

struct rest_fixture {
        struct fixture *http;
        char token_file[40];
        struct rest *rest;
        unsigned n_answers;
        bool answered;
        struct port_answer port;
        int status;
        bool has_json;
};

static void write_token(const struct rest_fixture *f, const char *text, mode_t mode)
{
        FILE *file = fopen(f->token_file, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(f->token_file, mode), 0);
}

static void make_rest(struct rest_fixture *f, const char *header, const char *prefix)
{
        const struct rest_config cfg = {.http = f->http->client,
                                        .url = f->http->peer.url,
                                        .token_file = f->token_file,
                                        .header = header,
                                        .prefix = prefix};
        f->rest = rest_new(&cfg);
}

static int setup(void **state)
{
        struct rest_fixture *f = xcalloc(1, sizeof(*f));
        (void)snprintf(f->token_file, sizeof(f->token_file), "/tmp/test-rest-XXXXXX");
        int fd = mkstemp(f->token_file);
        assert_true(fd >= 0);
        (void)close(fd);
        http_setup((void **)&f->http);
        write_token(f, "s3cret\n", 0600);
        make_rest(f, "Authorization", "token ");
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct rest_fixture *f = *state;
        rest_free(f->rest);
        http_teardown((void **)&f->http);
        (void)unlink(f->token_file);
        free(f);
        return 0;
}

static void on_rest(void *arg, const struct rest_answer *answer)
{
        struct rest_fixture *f = arg;
        f->n_answers++;
        f->answered = true;
        f->port = answer->port;
        f->status = answer->status;
        f->has_json = answer->json != NULL;
}

static void call(struct rest_fixture *f, const char *method, struct json_out *body)
{
        f->n_answers = 0;
        f->answered = false;
        assert_non_null(rest_start(f->rest, method, "/api/v1/user", body, on_rest, f));
        assert_int_equal(f->n_answers, 0); /* never before the call has returned */
        assert_true(loop_wait(f->http->loop, &f->answered));
        assert_int_equal(f->n_answers, 1);
}

static void assert_asked(const struct rest_fixture *f, const char *part)
{
        if (strstr(f->http->peer.request.buf, part) == NULL)
                fail_msg("no \"%s\" in\n%s", part, f->http->peer.request.buf);
}

static void test_call(void **state)
{
        struct rest_fixture *f = *state;
        struct json_out *body = json_out_new(false);
        json_out_object(body);
        json_out_kstr(body, "a", "\xc3\xa4");
        json_out_object_end(body);
        f->http->peer.answer = OK("8", "{\"x\": 1}");
        call(f, "POST", body);
        assert_int_equal(f->port.outcome, PORT_OK);
        assert_true(f->has_json);
        assert_asked(f, "POST /api/v1/user HTTP/1.1\r\n");
        assert_asked(f, "\r\nAuthorization: token s3cret\r\n");
        assert_asked(f, "\r\n\r\n{\"a\":\"\xc3\xa4\"}");
        write_token(f, "  replaced \r\nsecond line\n", 0600);
        call(f, "GET", NULL);
        assert_asked(f, "\r\nAuthorization: token replaced\r\n"); /* without a restart */
}

static void test_token_in_the_url(void **state)
{
        struct rest_fixture *f = *state;
        rest_free(f->rest);
        make_rest(f, NULL, "/bot");
        f->http->peer.answer = OK("2", "{}");
        call(f, "POST", NULL);
        assert_asked(f, "POST /bots3cret/api/v1/user HTTP/1.1\r\n");
}

static void test_bad_ends(void **state)
{
        struct rest_fixture *f = *state;
        static const struct {
                const char *method, *answer;
                enum http_peer_then then;
                enum port_outcome outcome;
                int64_t retry_after_s;
                const char *text;
        } rows[] = {
                {"GET", OK("5", "<html"), PEER_KEEP, PORT_UNAVAILABLE, -1, "no JSON"},
                {"POST", OK("5", "<html"), PEER_KEEP, PORT_UNKNOWN, -1, "no JSON"},
                {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", PEER_CLOSE, PORT_UNKNOWN, -1, ""},
                {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", PEER_CLOSE, PORT_UNAVAILABLE, -1,
                 ""},
                {"GET", "HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", PEER_KEEP,
                 PORT_LIMITED, 7, "without a reason"},
                {"GET", "HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, PORT_LIMITED, 60, ""},
                {"GET", "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                 PEER_KEEP, PORT_REFUSED, -1, "302"},
                {"POST", "HTTP/1.1 422 X\r\nContent-Length: 17\r\n\r\n{\"message\":\"bad\"}", PEER_KEEP,
                 PORT_REFUSED, -1, "bad"},
                {"POST", "HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\noh\n", PEER_KEEP, PORT_UNKNOWN, -1,
                 "500"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                f->http->peer.answer = rows[i].answer;
                f->http->peer.then = rows[i].then;
                call(f, rows[i].method, NULL);
                if (f->port.outcome != rows[i].outcome || f->port.retry_after_s != rows[i].retry_after_s ||
                    strstr(f->port.err.text, rows[i].text) == NULL)
                        fail_msg("row %zu: %s, %lld, %s", i, port_outcome_name(f->port.outcome),
                                 (long long)f->port.retry_after_s, f->port.err.text);
                assert_null(strstr(f->port.err.text, "s3cret"));
        }
}

static void test_an_endless_answer_ends(void **state)
{
        struct rest_fixture *f = *state;
        f->http->peer.answer = "HTTP/1.1 200 OK\r\n\r\n[1,";
        f->http->peer.then = PEER_ENDLESS;
        call(f, "GET", NULL);
        /* the question's trouble, not the service's: it is there */
        assert_int_equal(f->port.outcome, PORT_UNKNOWN);
}

static void test_an_answer_beyond_our_limits(void **state)
{
        struct rest_fixture *f = *state;
        struct strbuf sb = STRBUF_INIT;
        strbuf_addstr(&sb, "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n");
        for (int i = 0; i < 100; i++)
                strbuf_addch(&sb, '[');
        for (int i = 0; i < 100; i++)
                strbuf_addch(&sb, ']');
        f->http->peer.answer = sb.buf;
        call(f, "GET", NULL);
        assert_int_equal(f->port.outcome, PORT_UNKNOWN);
        f->http->peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
        call(f, "GET", NULL);
        assert_int_equal(f->port.outcome, PORT_UNAVAILABLE);
        strbuf_deinit(&sb);
}

static void test_a_token_that_cannot_be_read(void **state)
{
        struct rest_fixture *f = *state;
        static const struct {
                const char *text, *why;
                mode_t mode;
        } rows[] = {
                {"s3cret\n", "chmod 600", 0644},
                {"s3cret\n", "chmod 600", 0620},
                {"\n", "does not begin with a token", 0600},
                {"two words\n", "does not begin with a token", 0600},
                {"b\x01d\n", "does not begin with a token", 0600},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                write_token(f, rows[i].text, rows[i].mode);
                call(f, "GET", NULL);
                assert_int_equal(f->port.outcome, PORT_DENIED);
                if (strstr(f->port.err.text, rows[i].why) == NULL)
                        fail_msg("row %zu: %s", i, f->port.err.text);
        }
        (void)unlink(f->token_file);
        call(f, "GET", NULL);
        assert_int_equal(f->port.outcome, PORT_DENIED);
        assert_int_equal(mkdir(f->token_file, 0700), 0); /* as of a secret that is not mounted yet */
        call(f, "GET", NULL);
        assert_int_equal(f->port.outcome, PORT_DENIED);
        (void)rmdir(f->token_file);
        assert_int_equal(f->http->peer.n_requests, 0);
}

static void test_a_cancelled_call_says_nothing(void **state)
{
        struct rest_fixture *f = *state;
        f->http->peer.answer = OK("2", "{}");
        rest_cancel(rest_start(f->rest, "GET", "/", NULL, on_rest, f));
        write_token(f, "", 0600);
        rest_cancel(rest_start(f->rest, "GET", "/", NULL, on_rest, f));
        rest_cancel(NULL);
        (void)loop_run_pending(f->http->loop);
        assert_int_equal(f->n_answers, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_outcomes),
                cmocka_unit_test(test_reasons),
                cmocka_unit_test(test_encoding),
                cmocka_unit_test_setup_teardown(test_call, setup, teardown),
                cmocka_unit_test_setup_teardown(test_token_in_the_url, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_ends, setup, teardown),
                cmocka_unit_test_setup_teardown(test_an_endless_answer_ends, setup, teardown),
                cmocka_unit_test_setup_teardown(test_an_answer_beyond_our_limits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_token_that_cannot_be_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_cancelled_call_says_nothing, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
