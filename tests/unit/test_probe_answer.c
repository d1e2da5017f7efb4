/* test_probe_answer.c - M-5: what the answers of commands and URLs mean; no data is never healthy. */
#include "workerd/probe_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/http_client.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_commands(void **state)
{
        static const struct {
                enum shell_command_end end;
                int code;
                enum probe_answer answer;
        } rows[] = {
                {SHELL_COMMAND_EXITED, 0, PROBE_HEALTHY},      {SHELL_COMMAND_EXITED, 1, PROBE_FAILED},
                {SHELL_COMMAND_EXITED, 74, PROBE_FAILED},      {SHELL_COMMAND_EXITED, 75, PROBE_NO_DATA},
                {SHELL_COMMAND_EXITED, 126, PROBE_NO_DATA},    {SHELL_COMMAND_EXITED, 127, PROBE_NO_DATA},
                {SHELL_COMMAND_EXITED, 255, PROBE_FAILED},     {SHELL_COMMAND_TIMEOUT, -1, PROBE_FAILED},
                {SHELL_COMMAND_KILLED, -1, PROBE_NO_DATA},     {SHELL_COMMAND_NOT_STARTED, -1, PROBE_NO_DATA},
                {SHELL_COMMAND_NOT_STARTED, 0, PROBE_NO_DATA},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(probe_of_command(rows[i].end, rows[i].code), rows[i].answer);
}

static void test_urls(void **state)
{
        static const struct {
                enum http_outcome outcome;
                int status;
                const char *code;
                enum probe_answer answer;
        } rows[] = {
                {HTTP_ANSWERED, 200, "", PROBE_HEALTHY},         {HTTP_ANSWERED, 299, "", PROBE_HEALTHY},
                {HTTP_ANSWERED, 199, "", PROBE_FAILED},          {HTTP_ANSWERED, 301, "", PROBE_NO_DATA},
                {HTTP_ANSWERED, 404, "", PROBE_FAILED},          {HTTP_ANSWERED, 500, "", PROBE_FAILED},
                {HTTP_NOT_SENT, 0, "curl 7", PROBE_FAILED},      {HTTP_NOT_SENT, 0, "curl 6", PROBE_NO_DATA},
                {HTTP_NOT_SENT, 0, "curl 28", PROBE_FAILED},     {HTTP_UNKNOWN, 0, "curl 28", PROBE_FAILED},
                {HTTP_UNKNOWN, 0, HTTP_TOO_LONG, PROBE_NO_DATA}, {HTTP_UNKNOWN, 200, "curl 18", PROBE_FAILED},
                {HTTP_NOT_SENT, 0, "curl 60", PROBE_FAILED},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct http_answer answer = {
                        .outcome = rows[i].outcome, .status = rows[i].status, .err = ERRINFO_INIT};
                (void)snprintf(answer.err.code, sizeof(answer.err.code), "%s", rows[i].code);
                assert_int_equal(probe_of_url(&answer), rows[i].answer);
        }
}

static void test_plain_hosts(void **state)
{
        static const struct {
                const char *url, *host;
        } rows[] = {
                {"http://a.example/x", "a.example:80"}, {"http://a.example:8080", "a.example:8080"},
                {"HTTP://a.example?x", "a.example:80"}, {"http://[::1]/x", "[::1]:80"},
                {"http://[::1]:81/x", "[::1]:81"},      {"https://a.example/x", NULL},
                {"file:///etc/passwd", NULL},           {"http://a.example,b.example:80/", "a.example:80"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(freep) char *host = probe_plain_host(rows[i].url);
                if (rows[i].host == NULL)
                        assert_null(host);
                else
                        assert_string_equal(host, rows[i].host);
        }
}

static void test_words(void **state)
{
        (void)state;
        assert_string_equal(probe_answer_word(PROBE_HEALTHY), "healthy");
        assert_string_equal(probe_answer_word(PROBE_FAILED), "failed");
        assert_string_equal(probe_answer_word(PROBE_NO_DATA), "no-data");
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands), cmocka_unit_test(test_urls),
                                           cmocka_unit_test(test_plain_hosts), cmocka_unit_test(test_words)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
