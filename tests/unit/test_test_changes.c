/* What a branch does to its tests (P-4): which changes are signals, and which are not. */
#include "workerd/test_changes.h"

#include <errno.h>
#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

#define GLOBS                                                                                                \
        "test_*\n*_test.*\n*_tests.*\n*.test.*\n*.spec.*\n*_spec.*\n*Test.*\n*Tests.*\n*Spec.*\nconftest."   \
        "py\n"                                                                                               \
        "test/\ntests/\nspec/\n__tests__/\ntestdata/"
#define CONFIG ".github/workflows/\n.gitlab-ci.yml\npytest.ini\njest.config.*\nci/*.conf"
#define OIDS   ":100644 100644 aaaa bbbb "

static const struct run_info info = {.test_globs = GLOBS,
                                     .gate_config_globs = CONFIG,
                                     .test_command = "sh ./check.sh && make -C build test"};

static void test_patterns(void **state)
{
        static const struct {
                const char *path;
                bool test, config;
        } rows[] = {
                {"test_a.py", true, false},
                {"src/deep/test_a.py", true, false},
                {"pkg/a_test.go", true, false},
                {"src/a.test.ts", true, false},
                {"src/FooTest.java", true, false},
                {"tests/data.bin", true, false},
                {"lib/__tests__/a.js", true, false},
                {"contest.py", false, false},
                {"src/attest.py", false, false},
                {"src/latest/a.py", false, false},
                {"tests", false, false},
                {"src/testing.py", false, false},
                {"docs/test-plan.md", false, false},
                {".github/workflows/ci.yml", false, true},
                {".github/dependabot.yml", false, false},
                {"x/.github/workflows/ci.yml", false, false},
                {"pytest.ini", false, true},
                {"sub/pytest.ini", false, true},
                {"jest.config.mjs", false, true},
                {"ci/a.conf", false, true},
                {"ci/deep/a.conf", false, false},
                {"package.json", false, false},
                {"", false, false},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(test_changes_match(GLOBS, rows[i].path), rows[i].test);
                assert_int_equal(test_changes_match(CONFIG, rows[i].path), rows[i].config);
        }
        assert_false(test_changes_match("", "a"));
        assert_false(test_changes_match(NULL, "a"));
}

/* Rows end in two NULs: the texts of git's answer one after the other. */
static void test_files(void **state)
{
#define OUT(s) s, sizeof(s) - 1
        static const struct {
                const char *out;
                size_t len;
                const char *signals[3];
        } rows[] = {
                {OUT(""), {NULL}},
                {OUT(OIDS "M\0src/a.c\0"
                          "9\t1\tsrc/a.c\0"),
                 {NULL}},
                {OUT(OIDS "M\0tests/test_a.py\0"
                          "3\t3\ttests/test_a.py\0"),
                 {NULL}},
                {OUT(OIDS "A\0tests/test_b.py\0"
                          "9\t0\ttests/test_b.py\0"),
                 {NULL}},
                {OUT(OIDS "D\0src/a.c\0"
                          "0\t9\tsrc/a.c\0"),
                 {NULL}},
                {OUT(OIDS "D\0tests/test_a.py\0"
                          "0\t9\ttests/test_a.py\0"),
                 {"a test file is removed: tests/test_a.py",
                  "more test lines are removed (9) than added (0)"}},
                {OUT(OIDS "M\0tests/test_a.py\0"
                          "2\t3\ttests/test_a.py\0"),
                 {"more test lines are removed (3) than added (2)"}},
                {OUT(OIDS "M\0tests/test_a.py\0" OIDS "A\0tests/test_b.py\0"
                          "0\t30\ttests/test_a.py\0"
                          "40\t0\ttests/test_b.py\0"),
                 {NULL}},
                {OUT(OIDS "R100\0tests/test_a.py\0tests/unit/test_a.py\0"
                          "0\t0\t\0tests/test_a.py\0tests/unit/test_a.py\0"),
                 {NULL}},
                {OUT(OIDS "R090\0tests/test_a.py\0attic/a.py.off\0"
                          "0\t0\t\0tests/test_a.py\0attic/a.py.off\0"),
                 {"a test file is renamed to what is no test: tests/test_a.py"}},
                {OUT(OIDS "R100\0src/a.py\0src/b.py\0"
                          "0\t0\t\0src/a.py\0src/b.py\0"),
                 {NULL}},
                {OUT(OIDS "M\0tests/a.bin\0"
                          "-\t-\ttests/a.bin\0"),
                 {NULL}},
                {OUT(OIDS "M\0.github/workflows/ci.yml\0"
                          "1\t1\t.github/workflows/ci.yml\0"),
                 {"a file that decides what a gate demands is changed: .github/workflows/ci.yml"}},
                {OUT(OIDS "D\0pytest.ini\0"
                          "0\t2\tpytest.ini\0"),
                 {"a file that decides what a gate demands is changed: pytest.ini"}},
                {OUT(OIDS "R100\0pytest.ini\0pytest.off\0"
                          "0\t0\t\0pytest.ini\0pytest.off\0"),
                 {"a file that decides what a gate demands is changed: pytest.ini"}},
                {OUT(OIDS "M\0check.sh\0"
                          "1\t1\tcheck.sh\0"),
                 {"a file that decides what a gate demands is changed: check.sh"}},
                {OUT(OIDS "M\0src/check.sh\0"
                          "1\t1\tsrc/check.sh\0"),
                 {NULL}},
                {OUT(OIDS "D\0tests/a\n- `b`\0"
                          "0\t0\ttests/a\n- `b`\0"),
                 {"a test file is removed: tests/a?- ?b?"}},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct argv found = ARGV_INIT;
                assert_int_equal(test_changes_files(rows[i].out, rows[i].len, &info, &found), 0);
                size_t n = 0;
                for (; n < ARRAY_SIZE(rows[i].signals) && rows[i].signals[n] != NULL; n++) {
                        assert_true(n < found.n);
                        assert_string_equal(found.words[n], rows[i].signals[n]);
                }
                assert_int_equal(found.n, n);
                argv_deinit(&found);
        }
}

static void test_nonsense(void **state)
{
        static const struct {
                const char *out;
                size_t len;
        } rows[] = {{OUT("x")},      {OUT(":\0")},        {OUT(OIDS "M\0")}, {OUT(OIDS "R100\0a\0")},
                    {OUT("1\t2\0")}, {OUT("1\t2\t\0a\0")}};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct argv found = ARGV_INIT;
                assert_int_equal(test_changes_files(rows[i].out, rows[i].len, &info, &found), -EINVAL);
                argv_deinit(&found);
        }
}

static void test_skips(void **state)
{
        static const struct {
                const char *patch;
                const char *signal; /* NULL: none */
        } rows[] = {
                {"", NULL},
                {"+@pytest.mark.skip(reason='later')\n", "tests are skipped: 1 more of @pytest.mark.skip"},
                {"+@pytest.mark.skipif(x)\n+@pytest.mark.skip\n",
                 "tests are skipped: 2 more of @pytest.mark.skip"},
                {"-@pytest.mark.skip\n", NULL},
                {"-@pytest.mark.skip\n+@pytest.mark.skip\n", NULL},
                {" @pytest.mark.skip\n", NULL},
                {"+++ b/xit(\n", NULL},
                {"+    it.skip('a', () => {})\n", "tests are skipped: 1 more of it.skip("},
                {"+    commit.skip(1)\n", NULL},
                {"+xit('a')\n", "tests are skipped: 1 more of xit("},
                {"+exit(1)\n+  sys.exit(2)\n", NULL},
                {"+model.fit(x, y)\n+benefit(1)\n", NULL},
                {"+describe.only('a')\n", "tests are skipped: 1 more of describe.only("},
                {"+\tt.Skip(\"later\")\n", "tests are skipped: 1 more of t.Skip("},
                {"+list.Skip(3)\n", NULL},
                {"+    #[ignore]\n", "tests are skipped: 1 more of #[ignore"},
                {"+@Ignore\n", "tests are skipped: 1 more of @Ignore"},
                {"+@IgnoreExtraProperties\n+@JsonIgnore\n", NULL},
                {"+@Disabled(\"later\")\n", "tests are skipped: 1 more of @Disabled"},
                {"+a line without an end t.SkipNow()", "tests are skipped: 1 more of t.SkipNow("},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct argv found = ARGV_INIT;
                test_changes_skips(rows[i].patch, strlen(rows[i].patch), &found);
                assert_int_equal(found.n, rows[i].signal != NULL);
                if (rows[i].signal != NULL)
                        assert_string_equal(found.words[0], rows[i].signal);
                argv_deinit(&found);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_patterns),
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_skips),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
