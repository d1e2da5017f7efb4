/* C-4: which branches are never pushed to or deleted. */
#include "common/branch_guard.h"

#include <errno.h>
#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_guard(void **state)
{
        static const struct {
                const char *branch, *default_branch;
                int r;
        } rows[] = {
                {"feature/ORCH-1-fix", "main", 0},
                {"feature/main", "main", 0},
                {"main2", "main", -EPERM},
                {"x/main", "main", -EPERM},
                {"release/2.x", "main", -EPERM}, /* protected, whether we were told or not */
                {"feature", "main", -EPERM},
                {"Feature/a", "main", -EPERM},
                {"feature/", "main", -EPERM},
                {"feature/a", "feature/a", -EPERM},
                {"feature/a", "FEATURE/A", -EPERM},
                {"main", "main", -EPERM},
                {"MAIN", "main", -EPERM},
                {"release/1.x", "release/1.x", -EPERM},
                {"feature/a", NULL, -EPERM},
                {"feature/a", "", -EPERM},
                {"refs/heads/main", "main", -EPERM},
                {"HEAD", "main", -EPERM},
                {"main:main", "main", -EPERM},
                {"+feature/a", "main", -EPERM},
                {"", "main", -EPERM},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(branch_guard(rows[i].branch, rows[i].default_branch, &err), rows[i].r);
                assert_int_equal(err.text[0] != '\0', rows[i].r != 0);
        }
}

static void test_names(void **state)
{
        static const char *const good[] = {"a", "feature/ORCH-1-a.b_c", "a/b/c", "v1.2+x"};
        static const char *const bad[] = {
                "",     ".a",   "a/.b", "a..b",  "a.lock", "a/b.lock/c", "a/",   "/a", "a//b",
                "-a",   "a/-b", "a b",  "a~1",   "a^",     "a:b",        "a?",   "a*", "a[b",
                "a\\b", "a@{1", "a\nb", "a\x7f", "a\xc3",  "refs/x",     "HEAD", "a.",
        };
        char long_name[300];
        struct errinfo err;
        (void)state;
        memset(long_name, 'a', sizeof(long_name));
        long_name[sizeof(long_name) - 1] = '\0';
        assert_int_equal(branch_name_check(long_name, &err), -EINVAL);
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                assert_int_equal(branch_name_check(good[i], &err), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(branch_name_check(bad[i], &err), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_guard), cmocka_unit_test(test_names)};
        return cmocka_run_group_tests_name("branch_guard", tests, NULL, NULL);
}
