/* The HTTP client against a peer on the same loop: what is sent, and what each way to end is called. */
#include "common/http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/http_fixture.h"
#include "tests/unit/tls_peer.h"

static void assert_sent(const struct fixture *f, const char *part)
{
        if (strstr(f->peer.request.buf, part) == NULL)
                fail_msg("no \"%s\" in\n%s", part, f->peer.request.buf);
}

static void test_whole_exchange(void **state)
{
        struct fixture *f = *state;
        char token[] = "token abc";
        const struct http_header headers[] = {
                {"Authorization", token}, {"Content-Type", "application/json"}, {"X-Empty", ""}};
        char url[80];
        (void)snprintf(url, sizeof(url), "%s/api/v1?x=%%20", f->peer.url);
        struct http_spec spec = {.method = "PATCH",
                                 .url = url,
                                 .headers = headers,
                                 .n_headers = ARRAY_SIZE(headers),
                                 .body = "a\0b",
                                 .body_len = 3};
        f->peer.answer = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nmade.";
        assert_non_null(http_request_start(f->client, &spec, on_answer, f, NULL));
        memset(url, 'x', sizeof(url)); /* the spec is copied */
        memset(token, 'x', sizeof(token));
        await(f);
        assert_ended(f, HTTP_ANSWERED, "");
        assert_int_equal(f->answer.status, 201);
        assert_int_equal(f->answer.retry_after_s, -1);
        assert_string_equal(f->body.buf, "made.");
        assert_sent(f, "PATCH /api/v1?x=%20 HTTP/1.1\r\n");
        assert_sent(f, "\r\nHost: 127.0.0.1:");
        assert_sent(f, "\r\nAuthorization: token abc\r\n");
        assert_sent(f, "\r\nContent-Type: application/json\r\n");
        assert_sent(f, "\r\nX-Empty:\r\n");
        assert_sent(f, "\r\nContent-Length: 3\r\n");
        assert_memory_equal(f->peer.request.buf + f->peer.request.len - 7, "\r\n\r\na\0b", 7);
}

static void test_methods(void **state)
{
        static const struct {
                const char *method, *body, *sent;
        } rows[] = {
                {"GET", NULL, "GET / HTTP/1.1\r\n"},
                {"POST", NULL, "\r\nContent-Length: 0\r\n"},
                {"POST", "abc", "\r\n\r\nabc"},
                {"PUT", "abc", "PUT / HTTP/1.1\r\n"},
                {"DELETE", NULL, "DELETE / HTTP/1.1\r\n"},
                {"DELETE", "abc", "\r\n\r\nabc"},
        };
        struct fixture *f = *state;
        f->peer.answer = OK("2", "ok");
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                request(f, rows[i].method, rows[i].body);
                assert_ended(f, HTTP_ANSWERED, "");
                assert_sent(f, rows[i].sent);
                assert_int_equal(strncmp(f->peer.request.buf, rows[i].method, strlen(rows[i].method)), 0);
                assert_null(strstr(f->peer.request.buf, "Expect"));
                assert_null(strstr(f->peer.request.buf, "Content-Type"));
        }
        assert_int_equal(f->peer.n_requests, ARRAY_SIZE(rows));
}

static void test_large_body_is_sent_whole(void **state)
{
        struct fixture *f = *state;
        char *body = xmalloc(3000001);
        memset(body, 'x', 3000000);
        body[3000000] = '\0';
        f->peer.answer = OK("0", "");
        request(f, "POST", body);
        assert_ended(f, HTTP_ANSWERED, "");
        assert_true(f->peer.request.len > 3000000);
        assert_null(strstr(f->peer.request.buf, "\r\nExpect:"));
        free(body);
}

/* How the peer answers, and what that is called. */
static void test_answers(void **state)
{
        static const struct {
                const char *answer;
                enum http_peer_then then;
                enum http_outcome outcome;
                const char *code;
                int status;
                int64_t retry_after_s;
        } rows[] = {
                {"HTTP/1.1 204 No Content\r\n\r\n", PEER_KEEP, HTTP_ANSWERED, "", 204, -1},
                {"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", PEER_KEEP,
                 HTTP_ANSWERED, "", 302, -1},
                {"HTTP/1.1 503 No\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, HTTP_ANSWERED,
                 "", 503, 17},
                {"HTTP/1.1 429 No\r\nretry-after:soon\r\nContent-Length: 0\r\n\r\n", PEER_KEEP, HTTP_ANSWERED,
                 "", 429, -1},
                {"HTTP/1.0 200 OK\r\n\r\nuntil the end", PEER_CLOSE, HTTP_ANSWERED, "", 200, -1},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", PEER_KEEP,
                 HTTP_ANSWERED, "", 200, -1},
                {OK("10", "cut"), PEER_CLOSE, HTTP_UNKNOWN, "curl 18", 0, -1},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", PEER_CLOSE, HTTP_UNKNOWN,
                 "curl 18", 0, -1},
                {"HTTP/1.1 200", PEER_CLOSE, HTTP_UNKNOWN, "curl 52", 0, -1},
                {"", PEER_CLOSE, HTTP_UNKNOWN, "curl 52", 0, -1},
                {"hello, who is there?\r\n\r\n", PEER_CLOSE, HTTP_UNKNOWN, "curl 1", 0, -1},
        };
        struct fixture *f = *state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                f->peer.answer = rows[i].answer;
                f->peer.then = rows[i].then;
                size_t before = f->peer.n_requests;
                request(f, "POST", "x");
                assert_ended(f, rows[i].outcome, rows[i].code);
                assert_int_equal(f->answer.status, rows[i].status);
                assert_int_equal(f->answer.retry_after_s, rows[i].retry_after_s);
                assert_int_equal(f->peer.n_requests, before + 1);
        }
}

static void test_bounds(void **state)
{
        struct fixture *f = *state;
        struct strbuf sb = STRBUF_INIT;
        strbuf_addstr(&sb, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        for (int i = 0; i < 1000; i++)
                strbuf_addch(&sb, 'x');
        f->peer.answer = sb.buf;
        request(f, "GET", NULL);
        assert_ended(f, HTTP_ANSWERED, "");
        assert_int_equal(f->body.len, 1000);

        make_client(f, 999, PATIENT_MS);
        request(f, "GET", NULL);
        assert_ended(f, HTTP_UNKNOWN, HTTP_TOO_LONG);
        assert_non_null(strstr(f->answer.err.text, "longer than allowed"));

        static const char *const endless[] = {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nabc"};
        f->peer.then = PEER_ENDLESS;
        for (size_t i = 0; i < ARRAY_SIZE(endless); i++) {
                f->peer.answer = endless[i];
                request(f, "GET", NULL);
                assert_ended(f, HTTP_UNKNOWN, HTTP_TOO_LONG);
        }
        strbuf_deinit(&sb);
}

static void test_not_sent(void **state)
{
        struct fixture *f = *state;
        char url[80];
        (void)snprintf(url, sizeof(url), "https://%s", f->peer.host_port);
        f->peer.answer = "this is not TLS\r\n";
        f->peer.then = PEER_SLAM;
        start(f, "POST", url, "x");
        await(f);
        assert_ended(f, HTTP_NOT_SENT, "curl 35");

        http_peer_stop_listening(&f->peer);
        request(f, "POST", "x");
        assert_ended(f, HTTP_NOT_SENT, "curl 7");
        start(f, "POST", "https://127.0.0.1:1/", "x");
        await(f);
        assert_ended(f, HTTP_NOT_SENT, "curl 7");
}

/* The same silence, before and after the request has left. */
static void test_silence(void **state)
{
        struct fixture *f = *state;
        char url[80];
        make_client(f, 1000, HASTY_MS);
        f->peer.then = PEER_SILENT;
        request(f, "POST", "x");
        assert_ended(f, HTTP_UNKNOWN, "curl 28");
        assert_int_equal(f->peer.n_requests, 1);

        (void)snprintf(url, sizeof(url), "https://%s", f->peer.host_port);
        start(f, "POST", url, "x");
        await(f);
        assert_ended(f, HTTP_NOT_SENT, "curl 28");
        assert_int_equal(f->peer.n_requests, 1);
}

/* A certificate that nobody vouches for: not one byte of the request, and so no token, gets there. */
static void test_unknown_certificate(void **state)
{
        struct fixture *f = *state;
        char url[80];
        int port;
        pid_t pid = tls_peer_start(&port);
        (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
        start(f, "POST", url, "x");
        await(f);
        assert_ended(f, HTTP_NOT_SENT, "curl 60");
        assert_int_equal(tls_peer_finish(pid), 0);
}

static void test_refused_by_us(void **state)
{
        struct fixture *f = *state;
        static const struct http_header split = {"X", "a\r\nEvil: b"};
        const struct http_spec specs[] = {
                {.method = "GET", .url = f->peer.url, .headers = &split, .n_headers = 1},
                {.method = "GET", .url = "http://127.0.0.1:1/"},
                {.method = "TRACE", .url = f->peer.url},
        };
        for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
                struct errinfo err = ERRINFO_INIT;
                assert_null(http_request_start(f->client, &specs[i], on_answer, f, &err));
                assert_true(err.text[0] != '\0');
        }
        while (loop_run_pending(f->loop))
                ;
        assert_int_equal(f->peer.n_accepted, 0);
}

/* libcurl would send again by itself what found its old connection closed. */
static void test_post_is_never_repeated(void **state)
{
        struct fixture *f = *state;
        f->peer.answer = OK("2", "ok");
        request(f, "GET", NULL);
        request(f, "GET", NULL);
        assert_int_equal(f->peer.n_accepted, 1);
        f->peer.answer = "";
        f->peer.then = PEER_CLOSE;
        request(f, "POST", "x");
        assert_ended(f, HTTP_UNKNOWN, "curl 52");
        assert_int_equal(f->peer.n_requests, 3);
        assert_int_equal(f->peer.n_accepted, 2);
}

static void test_environment_decides_nothing(void **state)
{
        struct fixture *f = *state;
        assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
        assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
        f->peer.answer = OK("2", "ok");
        request(f, "GET", NULL);
        assert_ended(f, HTTP_ANSWERED, "");
        (void)unsetenv("http_proxy");
        (void)unsetenv("ALL_PROXY");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_setup, http_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_whole_exchange),
                TEST(test_methods),
                TEST(test_large_body_is_sent_whole),
                TEST(test_answers),
                TEST(test_bounds),
                TEST(test_not_sent),
                TEST(test_silence),
                TEST(test_unknown_certificate),
                TEST(test_refused_by_us),
                TEST(test_post_is_never_repeated),
                TEST(test_environment_decides_nothing),
        };
        return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
