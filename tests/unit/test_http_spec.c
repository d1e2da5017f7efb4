/* Which requests the HTTP client sends at all, and what it reads from Retry-After. */
#include <errno.h>
#include <string.h>

#include "common/http_internal.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

static const char PLAIN[] = "127.0.0.1:8080,forge.example:80,[::1]:81";

static void test_urls(void **state)
{
        static const struct {
                const char *url, *why; /* NULL: accepted */
                bool plain;
        } rows[] = {
                {"https://forge.example/api/v1?x=y", NULL, false},
                {"https://forge.example:8443", NULL, false},
                {"HTTPS://forge.example/", NULL, false},
                {"http://127.0.0.1:8080/x", NULL, true},
                {"http://Forge.Example/x", NULL, true},
                {"http://[::1]:81/x", NULL, true},
                {"http://127.0.0.1:808/x", "not allowed", false},
                {"http://127.0.0.1:80801/x", "not a URL", false},
                {"http://127.0.0.1/x", "not allowed", false},
                {"http://27.0.0.1:8080/x", "not allowed", false},
                {"http://evil.example:80/forge.example:80", "not allowed", false},
                {"http://forge.example:80@evil.example/", "holds credentials", false},
                {"https://token@forge.example/", "holds credentials", false},
                {"https://:secret@forge.example/", "holds credentials", false},
                {"file:///etc/passwd", "names no host", false},
                {"ftp://forge.example/", "ftp: is not used", false},
                {"gopher://forge.example/", "gopher: is not used", false},
                {"forge.example/x", "not a URL", false},
                {"", "not a URL", false},
                {"https://", "not a URL", false},
                {"https://forge.example/a b", "not a URL", false},
                {"https://forge.example/a\r\nX: y", "not a URL", false},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct errinfo err = ERRINFO_INIT;
                bool plain = false;
                const struct http_spec spec = {.method = "GET", .url = rows[i].url};
                int r = http_spec_check(&spec, PLAIN, &plain, &err);
                bool as_expected = rows[i].why == NULL
                                           ? r == 0 && plain == rows[i].plain
                                           : r == -EINVAL && strstr(err.text, rows[i].why) != NULL;
                if (!as_expected)
                        fail_msg("%s: %d \"%s\"", rows[i].url, r, err.text);
        }
        bool plain;
        const struct http_spec spec = {.method = "GET", .url = "http://127.0.0.1:8080/"};
        assert_int_equal(http_spec_check(&spec, NULL, &plain, NULL), -EINVAL);
        assert_int_equal(http_spec_check(&spec, "", &plain, NULL), -EINVAL);
}

static void test_headers(void **state)
{
        static const struct {
                const char *name, *value;
                bool ok;
        } rows[] = {
                {"Authorization", "token abc", true},
                {"X-Tab", "a\tb", true},
                {"X-Empty", "", true},
                {"X-Utf8", "\xc3\xa9", true},
                {"X", "a\r\nY: b", false},
                {"X", "a\nb", false},
                {"X", "a\rb", false},
                {"X", "\x01", false},
                {"X", "\x7f", false},
                {"", "v", false},
                {"X Y", "v", false},
                {"X:", "v", false},
                {"X\r\nY", "v", false},
                {"Content-Length", "5", false},
                {"transfer-encoding", "chunked", false},
                {"Host", "other.example", false},
                {"Connection", "close", false},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct http_header header = {.name = rows[i].name, .value = rows[i].value};
                const struct http_spec spec = {
                        .method = "GET", .url = "https://a.example", .headers = &header, .n_headers = 1};
                struct errinfo err = ERRINFO_INIT;
                bool plain;
                if ((http_spec_check(&spec, NULL, &plain, &err) == 0) != rows[i].ok)
                        fail_msg("%s: %s: %s", rows[i].name, rows[i].value, err.text);
                assert_true(rows[i].ok || err.text[0] != '\0');
                assert_null(strstr(err.text, "a\r"));
        }
}

static void test_methods(void **state)
{
        static const struct {
                const char *method;
                size_t body_len;
                bool ok;
        } rows[] = {
                {"GET", 0, true},
                {"GET", 1, false},
                {"POST", 0, true},
                {"POST", 1, true},
                {"PATCH", 1, true},
                {"PUT", 1, true},
                {"DELETE", 0, true},
                {"DELETE", 1, true},
                {"get", 0, false},
                {"HEAD", 0, false},
                {"CONNECT", 0, false},
                {"", 0, false},
                {"GET / HTTP/1.1\r\nX: y\r\n", 0, false},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct http_spec spec = {.method = rows[i].method,
                                               .url = "https://a.example",
                                               .body = "x",
                                               .body_len = rows[i].body_len};
                bool plain;
                if ((http_spec_check(&spec, NULL, &plain, NULL) == 0) != rows[i].ok)
                        fail_msg("%s with %zu bytes", rows[i].method, rows[i].body_len);
        }
}

static void test_retry_after(void **state)
{
        enum { NOW = 1445412480 }; /* Wed, 21 Oct 2015 07:28:00 GMT */
        static const struct {
                const char *value;
                int64_t seconds;
        } rows[] = {
                {"0", 0},
                {" 120", 120},
                {"120 \r\n", 120},
                {"86400", 86400},
                {"86401", 86400},
                {"99999999999999999999999", 86400},
                {"-5", -1},
                {"12x", -1},
                {"1.5", -1},
                {"", -1},
                {"soon", -1},
                {"Wed, 21 Oct 2015 07:28:30 GMT", 30},
                {" Wed, 21 Oct 2015 07:28:30 GMT\r\n", 30},
                {"Wed, 21 Oct 2015 07:27:00 GMT", 0},
                {"Fri, 21 Oct 2016 07:28:00 GMT", 86400},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int64_t seconds = http_retry_after(rows[i].value, strlen(rows[i].value), NOW);
                if (seconds != rows[i].seconds)
                        fail_msg("%s: %lld", rows[i].value, (long long)seconds);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_urls),
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_methods),
                cmocka_unit_test(test_retry_after),
        };
        return cmocka_run_group_tests_name("http_spec", tests, NULL, NULL);
}
