/* What the request reader takes and refuses, and that the way the input was cut never matters. */
#include "web/http_parse.h"

#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

#define H  "Host: a\r\n"
#define OK "GET / HTTP/1.1\r\n" H

static const struct http_parse_limits defaults = {
        .line_bytes = HTTP_LINE_BYTES_MAX, .head_bytes = HTTP_HEAD_BYTES_MAX, .fields = HTTP_FIELDS_MAX};

/* Everything that the parser says, as one line of text: equal lines mean an equal result. */
static void describe(struct strbuf *sb, struct http_parse *p, enum http_parse_outcome outcome, size_t used)
{
        strbuf_addf(sb, "%d used=%zu ", (int)outcome, used);
        if (outcome == HTTP_PARSE_REFUSED)
                strbuf_addf(sb, "%d %s", http_refusal_status(p->refusal), http_refusal_name(p->refusal));
        if (outcome != HTTP_PARSE_DONE)
                return;
        const char *query = http_parse_query(p);
        strbuf_addf(sb, "%d %s ?%s 1.%d length=%lld expect=%d", (int)p->method, http_parse_path(p),
                    query != NULL ? query : "(none)", p->minor, (long long)p->content_length,
                    p->expect_continue);
        for (unsigned i = 0; i < p->n_fields; i++)
                strbuf_addf(sb, " [%s=%s]", p->text.buf + p->fields[i].name,
                            p->text.buf + p->fields[i].value);
}

/* Feeds the pieces [0,cut) and [cut,len), or single bytes when step is 1. */
static void parse_cut(const char *in, size_t len, size_t cut, size_t step,
                      const struct http_parse_limits *limits, struct strbuf *sb)
{
        struct http_parse p;
        enum http_parse_outcome outcome = HTTP_PARSE_MORE;
        size_t at = 0;
        http_parse_init(&p, limits);
        while (at < len && outcome == HTTP_PARSE_MORE) {
                size_t n = step != 0 ? step : (at < cut ? cut - at : len - at), used = 0;
                /* An exact copy on the heap: reading past the piece is then an error that ASan sees. */
                _cleanup_(freep) char *piece = xmalloc(n);
                memcpy(piece, in + at, n);
                outcome = http_parse_feed(&p, piece, n, &used);
                assert_true(used == n || outcome != HTTP_PARSE_MORE);
                at += used;
        }
        describe(sb, &p, outcome, at);
        http_parse_deinit(&p);
}

/* The result of the whole input; asserts that every other way to cut it gives the same. */
static void parse(const char *in, size_t len, const struct http_parse_limits *limits, struct strbuf *whole)
{
        parse_cut(in, len, len, 0, limits, whole);
        for (size_t cut = 0; cut <= len; cut++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                parse_cut(in, len, cut, cut == 0 ? 1 : 0, limits, &sb);
                assert_string_equal(sb.buf, whole->buf);
        }
}

struct row {
        const char *in;
        size_t len;
        const char *expect; /* the description from behind "used=N " */
};
#define ROW(text, expect)                                                                                    \
        {                                                                                                    \
                text, sizeof(text) - 1, expect                                                               \
        }

static void check_rows(const struct row *rows, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                parse(rows[i].in, rows[i].len, &defaults, &sb);
                const char *got = strchr(strchr(sb.buf, ' ') + 1, ' ') + 1;
                if (strcmp(got, rows[i].expect) != 0)
                        print_error("row %zu: %s\n", i, rows[i].in);
                assert_string_equal(got, rows[i].expect);
        }
}

static void test_taken(void **state)
{
        static const struct row rows[] = {
                ROW(OK "\r\n", "1 / ?(none) 1.1 length=-1 expect=0 [host=a]"),
                ROW("HEAD /x HTTP/1.0\r\n\r\n", "2 /x ?(none) 1.0 length=-1 expect=0"),
                ROW("POST /a?b=c?d HTTP/1.1\r\nHOST: a:80\r\ncontent-LENGTH: 12\r\n\r\nleft over",
                    "4 /a ?b=c?d 1.1 length=12 expect=0 [host=a:80] [content-length=12]"),
                ROW("GET /? HTTP/1.1\r\n" H "\r\n", "1 / ? 1.1 length=-1 expect=0 [host=a]"),
                ROW("DELETE / HTTP/1.1\r\n" H "\r\n", "0 / ?(none) 1.1 length=-1 expect=0 [host=a]"),
                ROW("get / HTTP/1.1\r\n" H "\r\n", "0 / ?(none) 1.1 length=-1 expect=0 [host=a]"),
                ROW("GET /%2F%aB HTTP/1.1\r\n" H "\r\n", "1 /%2F%aB ?(none) 1.1 length=-1 expect=0 [host=a]"),
                ROW(OK "X: \t a b \t \r\nY:\r\nZ: \r\n\r\n",
                    "1 / ?(none) 1.1 length=-1 expect=0 [host=a] [x=a b] [y=] [z=]"),
                ROW(OK "X:\xc3\xa9\xff\r\n\r\n",
                    "1 / ?(none) 1.1 length=-1 expect=0 [host=a] [x=\xc3\xa9\xff]"),
                ROW(OK "X:1\r\nx:2\r\n\r\n", "1 / ?(none) 1.1 length=-1 expect=0 [host=a] [x=1] [x=2]"),
                ROW(OK "Expect: 100-Continue\r\n\r\n",
                    "1 / ?(none) 1.1 length=-1 expect=1 [host=a] [expect=100-Continue]"),
                ROW(OK "Content-Length: 0007\r\n\r\n",
                    "1 / ?(none) 1.1 length=7 expect=0 [host=a] [content-length=0007]"),
                ROW(OK "Content-Length: 999999999999999999\r\n\r\n",
                    "1 / ?(none) 1.1 length=999999999999999999 expect=0 [host=a] "
                    "[content-length=999999999999999999]"),
                ROW(OK "Content-Length: 1000000000000000000\r\n\r\n",
                    "1 / ?(none) 1.1 length=9223372036854775807 expect=0 [host=a] "
                    "[content-length=1000000000000000000]"),
                ROW("GET / HTTP/1.1\r\nHost: [::1]:8480\r\n\r\n",
                    "1 / ?(none) 1.1 length=-1 expect=0 [host=[::1]:8480]"),
        };
        (void)state;
        check_rows(rows, ARRAY_SIZE(rows));
}

static void test_refused(void **state)
{
        static const struct row rows[] = {
                ROW("\r\nGET / HTTP/1.1\r\n", "400 method"),
                ROW(" GET / HTTP/1.1\r\n", "400 method"),
                ROW("G@T / HTTP/1.1\r\n", "400 method"),
                ROW("GET\t/ HTTP/1.1\r\n", "400 method"),
                ROW("GET\r\n", "400 method"),
                ROW("\x16\x03\x01", "400 method"),
                ROW("\0GET / HTTP/1.1\r\n", "400 method"),
                ROW("ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n", "501 method-long"),
                ROW("GET  / HTTP/1.1\r\n", "400 target"),
                ROW("GET * HTTP/1.1\r\n", "400 target"),
                ROW("GET a HTTP/1.1\r\n", "400 target"),
                ROW("GET http://a/ HTTP/1.1\r\n", "400 target"),
                ROW("GET /\r\n", "400 target"),
                ROW("GET /\n", "400 target"),
                ROW("GET /a\tb HTTP/1.1\r\n", "400 target"),
                ROW("GET /\x7f HTTP/1.1\r\n", "400 target"),
                ROW("GET /\xc3\xa9 HTTP/1.1\r\n", "400 target"),
                ROW("GET /#a HTTP/1.1\r\n", "400 target"),
                ROW("GET /\0 HTTP/1.1\r\n", "400 target"),
                ROW("GET /% HTTP/1.1\r\n", "400 target"),
                ROW("GET /%0g HTTP/1.1\r\n", "400 target"),
                ROW("GET /a?% HTTP/1.1\r\n", "400 target"),
                ROW("GET /  HTTP/1.1\r\n", "400 version"),
                ROW("GET / HTTP/1.1 \r\n", "400 version"),
                ROW("GET / \r\n", "400 version"),
                ROW("GET / http/1.1\r\n", "400 version"),
                ROW("GET / HTTP/1\r\n", "400 version"),
                ROW("GET / HTTP/1.-1\r\n", "400 version"),
                ROW("GET / HTTP/1.10\r\n", "400 version"),
                ROW("GET / HTTP/1.4294967297\r\n", "400 version"),
                ROW("GET / HTTX/1.1\r\n", "400 version"),
                ROW("GET / HTTP/1.2\r\n", "505 version-other"),
                ROW("GET / HTTP/2.0\r\n", "505 version-other"),
                ROW("GET / HTTP/0.9\r\n", "505 version-other"),
                ROW("GET / HTTP/1.1\n", "400 line-end"),
                ROW("GET / HTTP/1.1\r\r\n", "400 line-end"),
                ROW(OK "\n", "400 line-end"),
                ROW(OK "\r\r", "400 line-end"),
                ROW(OK "X: a\nY: b\r\n", "400 line-end"),
                ROW(OK "X: a\rY: b\r\n", "400 line-end"),
                ROW(OK " X: a\r\n", "400 folded-field"),
                ROW(OK "X: a\r\n\tb\r\n", "400 folded-field"),
                ROW("GET / HTTP/1.1\r\n Host: a\r\n", "400 folded-field"),
                ROW(OK ": a\r\n", "400 field-name"),
                ROW(OK "X : a\r\n", "400 field-name"),
                ROW(OK "X\r\n", "400 field-name"),
                ROW(OK "X(: a\r\n", "400 field-name"),
                ROW(OK "X\0: a\r\n", "400 field-name"),
                ROW(OK "\xc3\xa9: a\r\n", "400 field-name"),
                ROW(OK "X: a\0b\r\n", "400 field-value"),
                ROW(OK "X:\0\r\n", "400 field-value"),
                ROW(OK "X: a\x01\r\n", "400 field-value"),
                ROW(OK "X: a\x7f\r\n", "400 field-value"),
                ROW("GET / HTTP/1.1\r\n\r\n", "400 host-missing"),
                ROW(OK "host: a\r\n", "400 host-twice"),
                ROW("GET / HTTP/1.1\r\nHost:\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: a b\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: a, b\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: a/b\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: u@a\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: a:80a\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: a:123456\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: :80\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: [::1\r\n", "400 host-form"),
                ROW("GET / HTTP/1.1\r\nHost: []\r\n", "400 host-form"),
                ROW("GET / HTTP/1.0\r\nHost:\r\n", "400 host-form"),
                ROW(OK "Content-Length: 1\r\nContent-Length: 1\r\n", "400 content-length-twice"),
                ROW(OK "Content-Length: 1\r\ncontent-length: 2\r\n", "400 content-length-twice"),
                ROW(OK "Content-Length:\r\n", "400 content-length-form"),
                ROW(OK "Content-Length: +3\r\n", "400 content-length-form"),
                ROW(OK "Content-Length: -1\r\n", "400 content-length-form"),
                ROW(OK "Content-Length: 3,3\r\n", "400 content-length-form"),
                ROW(OK "Content-Length: 3 3\r\n", "400 content-length-form"),
                ROW(OK "Content-Length: 0x3\r\n", "400 content-length-form"),
                ROW(OK "Content-Length: 3.0\r\n", "400 content-length-form"),
                ROW(OK "Transfer-Encoding: chunked\r\n", "411 transfer-coding"),
                ROW(OK "transfer-encoding:\r\n", "411 transfer-coding"),
                ROW(OK "Content-Length: 3\r\nTransfer-Encoding: identity\r\n", "411 transfer-coding"),
                ROW(OK "Expect: 100-continues\r\n", "417 expectation"),
                ROW(OK "Expect:\r\n", "417 expectation"),
                ROW(OK "Expect: 100-continue\r\nExpect: 100-continue\r\n", "417 expectation"),
        };
        (void)state;
        check_rows(rows, ARRAY_SIZE(rows));
}

static void test_incomplete(void **state)
{
        static const char whole[] = "POST /p?q HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
        (void)state;
        for (size_t n = 0; n < sizeof(whole) - 1; n++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT, expect = STRBUF_INIT;
                parse(whole, n, &defaults, &sb);
                strbuf_addf(&expect, "%d used=%zu ", (int)HTTP_PARSE_MORE, n);
                assert_string_equal(sb.buf, expect.buf);
        }
}

/* One byte under, at and above each limit. */
static void expect_limit(const struct strbuf *in, const struct http_parse_limits *limits,
                         enum http_refusal expect)
{
        struct http_parse p;
        size_t used;
        http_parse_init(&p, limits);
        enum http_parse_outcome outcome = http_parse_feed(&p, in->buf, in->len, &used);
        assert_int_equal(p.refusal, expect);
        assert_int_equal(outcome, expect == HTTP_REFUSED_NOT ? HTTP_PARSE_DONE : HTTP_PARSE_REFUSED);
        http_parse_deinit(&p);
}

static void add_times(struct strbuf *sb, char c, size_t n)
{
        while (n-- > 0)
                strbuf_addch(sb, c);
}

static void test_line_limit(void **state)
{
        const struct http_parse_limits limits = {.line_bytes = 64, .head_bytes = 256, .fields = 4};
        (void)state;
        for (int extra = -1; extra <= 1; extra++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                strbuf_addstr(&sb, "GET /");
                add_times(&sb, 'a', (size_t)(64 - (int)strlen("GET / HTTP/1.1\r\n") + extra));
                strbuf_addstr(&sb, " HTTP/1.1\r\n" H "\r\n");
                expect_limit(&sb, &limits, extra > 0 ? HTTP_REFUSED_LINE_LONG : HTTP_REFUSED_NOT);
        }
}

static void test_head_limit(void **state)
{
        const struct http_parse_limits limits = {.line_bytes = 64, .head_bytes = 256, .fields = 4};
        (void)state;
        for (int extra = -1; extra <= 1; extra++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                strbuf_addstr(&sb, OK "X: ");
                add_times(&sb, 'a', (size_t)(256 - (int)strlen(OK "X: \r\n\r\n") + extra));
                strbuf_addstr(&sb, "\r\n\r\n");
                expect_limit(&sb, &limits, extra > 0 ? HTTP_REFUSED_HEAD_LONG : HTTP_REFUSED_NOT);
        }
}

static void test_field_limit(void **state)
{
        (void)state;
        for (unsigned n = HTTP_FIELDS_MAX - 2; n <= HTTP_FIELDS_MAX; n++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                strbuf_addstr(&sb, OK); /* one field */
                for (unsigned i = 0; i < n; i++)
                        strbuf_addstr(&sb, "a:\r\n");
                strbuf_addstr(&sb, "\r\n");
                expect_limit(&sb, &defaults,
                             n >= HTTP_FIELDS_MAX ? HTTP_REFUSED_FIELDS_MANY : HTTP_REFUSED_NOT);
        }
}

static void test_fields_by_name(void **state)
{
        static const char in[] = OK "X-A: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n";
        struct http_parse p;
        size_t used;
        const char *value;
        (void)state;
        http_parse_init(&p, &defaults);
        assert_int_equal(http_parse_feed(&p, in, sizeof(in) - 1, &used), HTTP_PARSE_DONE);
        assert_int_equal(http_parse_field(&p, "x-a", &value), 2);
        assert_string_equal(value, "1");
        assert_int_equal(http_parse_field(&p, "x-b", &value), 1);
        assert_string_equal(value, "3");
        assert_int_equal(http_parse_field(&p, "x-c", &value), 0);
        assert_null(value);
        assert_int_equal(http_parse_field(&p, "x-", NULL), 0);
        http_parse_deinit(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_taken),          cmocka_unit_test(test_refused),
                cmocka_unit_test(test_incomplete),     cmocka_unit_test(test_line_limit),
                cmocka_unit_test(test_head_limit),     cmocka_unit_test(test_field_limit),
                cmocka_unit_test(test_fields_by_name),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
