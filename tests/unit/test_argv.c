/* How configured command lines are read, and refused. */
#include "common/argv.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_split(void **state)
{
        static const struct {
                const char *line;
                const char *words[6];
        } rows[] = {
                {"claude -p", {"claude", "-p"}},
                {"  a \t b\nc\r ", {"a", "b", "c"}},
                {"'a b' \"c d\"", {"a b", "c d"}},
                {"''", {""}},
                {"\"\" x", {"", "x"}},
                {"a'b'\"c\"d", {"abcd"}},
                {"a\\ b", {"a b"}},
                {"'it\\s'", {"it\\s"}},
                {"\"say \\\"hi\\\" \\\\ \\n\"", {"say \"hi\" \\ \\n"}},
                {"--x='a=b c'", {"--x=a=b c"}},
                {"$HOME `id` $(id) *", {"$HOME", "`id`", "$(id)", "*"}},
                {"a;b|c&&d>e", {"a;b|c&&d>e"}},
                {"\\'", {"'"}},
                {"\xd0\xbf\xd1\x80 \xff", {"\xd0\xbf\xd1\x80", "\xff"}},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(argv_deinit) struct argv a = ARGV_INIT;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(argv_split(&a, rows[i].line, &err), 0);
                for (size_t w = 0; w < a.n; w++)
                        assert_string_equal(a.words[w], rows[i].words[w]);
                assert_null(rows[i].words[a.n]);
                assert_null(a.words[a.n]);
        }
}

static void test_refused(void **state)
{
        static const struct {
                const char *line, *reason;
        } rows[] = {
                {"", "empty"},
                {" \t\n", "empty"},
                {"a 'b", "' has no closing '"},
                {"a \"b", "\" has no closing \""},
                {"a \"b\\\"", "\" has no closing \""},
                {"a \\", "nothing follows"},
                {"'", "no closing"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(argv_deinit) struct argv a = ARGV_INIT;
                struct errinfo err = ERRINFO_INIT;
                argv_add(&a, "kept");
                assert_int_equal(argv_split(&a, rows[i].line, &err), -EINVAL);
                assert_non_null(strstr(err.text, rows[i].reason));
                assert_int_equal(a.n, 1);
                assert_string_equal(a.words[0], "kept");
                assert_null(a.words[1]);
        }
}

static void test_build(void **state)
{
        _cleanup_(argv_deinit) struct argv a = ARGV_INIT;
        (void)state;
        argv_add(&a, "git");
        argv_addf(&a, "--depth=%d", 3);
        argv_env(&a, "HOME", "/a b=c");
        assert_int_equal(a.n, 3);
        assert_string_equal(a.words[1], "--depth=3");
        assert_string_equal(a.words[2], "HOME=/a b=c");
        assert_null(a.words[3]);
        argv_deinit(&a);
        assert_int_equal(a.n, 0);
        argv_deinit(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_build),
        };
        return cmocka_run_group_tests_name("argv", tests, NULL, NULL);
}
