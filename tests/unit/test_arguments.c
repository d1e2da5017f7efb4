/* What a query and a body say together, and what is refused because it could be read in two ways. */
#include "operatord/arguments.h"

#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_table(void **state)
{
        static const struct {
                const char *query, *body;
                const char *as_query; /* NULL: refused */
                const char *as_body;  /* or the reason */
        } rows[] = {
                {NULL, "", "{}", "{}"},
                {"", "", "{}", "{}"},
                {"a=1", "", "{\"a\":\"1\"}", "{}"},
                {"a=1&b_2=x", "{\"c\":1}", "{\"a\":\"1\",\"b_2\":\"x\"}", "{\"c\":1}"},
                {"a=", "", "{\"a\":\"\"}", "{}"},
                {"a=b=c", "", "{\"a\":\"b=c\"}", "{}"},
                {"a=x+y%20z%2B", "", "{\"a\":\"x y z+\"}", "{}"},
                {"a=%C3%BC%26%3d", "", "{\"a\":\"\xc3\xbc&=\"}", "{}"},
                {"a=%22;%27", "", "{\"a\":\"\\\";'\"}", "{}"},
                {"%61=1", "", "{\"a\":\"1\"}", "{}"},
                {NULL, " {\"a\": [1, {}]} ", "{}", " {\"a\": [1, {}]} "},
                {NULL, "{\"a\":null}", "{}", "{\"a\":null}"},
                {"a=1&a=2", "", NULL, "\"a\" is in the query twice"},
                {"a=1&%61=2", "", NULL, "\"a\" is in the query twice"},
                {"a=1", "{\"a\":1}", NULL, "\"a\" is in the query and in the body"},
                {"a", "", NULL, "of pairs"},
                {"a=1&", "", NULL, "ends in the middle"},
                {"&a=1", "", NULL, "of pairs"},
                {"a=1&&b=2", "", NULL, "of pairs"},
                {"=1", "", NULL, "name must be"},
                {"A=1", "", NULL, "name must be"},
                {"a-b=1", "", NULL, "name must be"},
                {"a%20b=1", "", NULL, "name must be"},
                {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1", "", NULL,
                 "name must be"},
                {"a=%", "", NULL, "two hexadecimal digits"},
                {"a=%4", "", NULL, "two hexadecimal digits"},
                {"a=%4x", "", NULL, "two hexadecimal digits"},
                {"a=%&b=41", "", NULL, "two hexadecimal digits"},
                {"a=%00", "", NULL, "not UTF-8, or holds a NUL"},
                {"a=%ff", "", NULL, "not UTF-8"},
                {"a=%c3", "", NULL, "not UTF-8"},
                {"a=%ed%a0%80", "", NULL, "not UTF-8"},
                {NULL, "[]", NULL, "one JSON object"},
                {NULL, "1", NULL, "one JSON object"},
                {NULL, "{", NULL, "not acceptable"},
                {NULL, "{}{}", NULL, "not acceptable"},
                {NULL, "{\"a\":1,\"a\":2}", NULL, "not acceptable"},
                {NULL, "{\"a\":\"\\u0000\"}", NULL, "not acceptable"},
                {NULL, "{\"a\":[[[[[[[[1]]]]]]]]}", NULL, "not acceptable"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(arguments_deinit) struct arguments args = ARGUMENTS_INIT;
                struct errinfo err = ERRINFO_INIT;
                int r = arguments_read(rows[i].query, rows[i].body, strlen(rows[i].body), &args, &err);
                if ((r == 0) != (rows[i].as_query != NULL))
                        fail_msg("row %zu: %d %s", i, r, err.text);
                if (r < 0 && strstr(err.text, rows[i].as_body) == NULL)
                        fail_msg("row %zu: %s", i, err.text);
                if (r == 0) {
                        assert_string_equal(args.query.buf, rows[i].as_query);
                        assert_string_equal(args.body.buf, rows[i].as_body);
                }
        }
}

static void test_not_too_many(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf query = STRBUF_INIT;
        _cleanup_(arguments_deinit) struct arguments args = ARGUMENTS_INIT;
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        for (int i = 0; i < ARGUMENTS_MAX; i++)
                strbuf_addf(&query, "%sa%d=1", i > 0 ? "&" : "", i);
        assert_int_equal(arguments_read(query.buf, "", 0, &args, &err), 0);
        strbuf_addstr(&query, "&b=1");
        assert_int_equal(arguments_read(query.buf, "", 0, &args, &err), -EINVAL);
        assert_non_null(strstr(err.text, "too many"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_not_too_many),
        };
        return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}
