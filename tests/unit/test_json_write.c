/* The JSON writer: what comes out, also of bad UTF-8, and that its bugs end the process. */
#include "common/json_write.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static void write_sample(struct json_out *j)
{
        json_out_object(j);
        json_out_kstr(j, "name", "a \"b\"\\\n");
        json_out_kstr(j, "none", NULL);
        json_out_kint(j, "n", INT64_MIN);
        json_out_kbool(j, "yes", true);
        json_out_key(j, "list");
        json_out_array(j);
        json_out_int(j, INT64_MAX);
        json_out_bool(j, false);
        json_out_null(j);
        json_out_str(j, "/");
        json_out_object(j);
        json_out_object_end(j);
        json_out_array_end(j);
        json_out_object_end(j);
}

static void test_compact(void **state)
{
        struct strbuf sb = STRBUF_INIT;
        struct json_out *j = json_out_new(false);
        (void)state;
        write_sample(j);
        strbuf_addstr(&sb, "> ");
        json_out_finish(j, &sb);
        assert_string_equal(sb.buf,
                            "> {\"name\":\"a \\\"b\\\"\\\\\\n\",\"none\":null,\"n\":-9223372036854775808,"
                            "\"yes\":true,\"list\":[9223372036854775807,false,null,\"/\",{}]}");
        json_out_free(j);
        strbuf_deinit(&sb);
}

static void test_pretty(void **state)
{
        struct strbuf sb = STRBUF_INIT;
        struct json_out *j = json_out_new(true);
        (void)state;
        json_out_object(j);
        json_out_kint(j, "n", 1);
        json_out_object_end(j);
        json_out_finish(j, &sb);
        assert_string_equal(sb.buf, "{\n  \"n\": 1\n}\n");
        json_out_free(j);
        json_out_free(NULL);
        strbuf_deinit(&sb);
}

#define FFFD "\xEF\xBF\xBD"

static void test_bad_utf8_is_replaced(void **state)
{
        static const struct {
                const char *in, *out;
        } rows[] = {
                {"", ""},
                {"\xc3\xa9 \xf0\x9f\x98\x80", "\xc3\xa9 \xf0\x9f\x98\x80"},
                {"\xff", FFFD},
                {"a\xff\xfe"
                 "b",
                 "a" FFFD FFFD "b"},
                {"cut \xe2\x82", "cut " FFFD FFFD},
                {"\xc0\xaf", FFFD FFFD},
                {"\xed\xa0\x80", FFFD FFFD FFFD},
                {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},
                {"\x01\x1f\x7f", "\x01\x1f\x7f"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct strbuf sb = STRBUF_INIT;
                struct json_out *j = json_out_new(false);
                struct json_limits limits = JSON_LIMITS_DEFAULT;
                struct json_doc *doc = NULL;
                json_out_object(j);
                json_out_kstr(j, rows[i].in, rows[i].in);
                json_out_object_end(j);
                json_out_finish(j, &sb);
                assert_int_equal(json_parse(sb.buf, sb.len, &limits, &doc, NULL), 0);
                assert_string_equal(json_key_at(json_root(doc), 0), rows[i].out);
                assert_string_equal(json_str(json_at(json_root(doc), 0)), rows[i].out);
                json_doc_free(doc);
                json_out_free(j);
                strbuf_deinit(&sb);
        }
}

static void finish_nothing(struct json_out *j)
{
        (void)j;
}

static void finish_open(struct json_out *j)
{
        json_out_array(j);
}

static void value_without_key(struct json_out *j)
{
        json_out_object(j);
        json_out_int(j, 1);
}

static void two_roots(struct json_out *j)
{
        json_out_int(j, 1);
        json_out_int(j, 2);
}

static void test_misuse_aborts(void **state)
{
        static void (*const bugs[])(struct json_out *) = {finish_nothing, finish_open, value_without_key,
                                                          two_roots};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bugs); i++) {
                pid_t pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        const struct rlimit no_core = {0, 0};
                        (void)setrlimit(RLIMIT_CORE, &no_core);
                        (void)signal(SIGABRT, SIG_DFL); /* cmocka's handler would report it as a failure */
                        struct strbuf sb = STRBUF_INIT;
                        struct json_out *j = json_out_new(false);
                        bugs[i](j);
                        json_out_finish(j, &sb);
                        _exit(0);
                }
                int status = 0;
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_compact),
                cmocka_unit_test(test_pretty),
                cmocka_unit_test(test_bad_utf8_is_replaced),
                cmocka_unit_test(test_misuse_aborts),
        };
        return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
