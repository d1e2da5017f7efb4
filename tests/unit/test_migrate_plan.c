/* What a migration would do: nothing, some, or a refusal. */
#include "ctl/migrate_plan.h"

#include <string.h>

#include "common/mem.h"
#include "migrations.h"
#include "tests/unit/cm.h"

static const struct sql_file files[] = {
        {.name = "0001_base.sql", .sql = "", .sha256 = "aaaa"},
        {.name = "0002_work.sql", .sql = "", .sha256 = "bbbb"},
        {.name = "0010_more.sql", .sql = "", .sha256 = "cccc"},
};

static void test_plan(void **state)
{
        static const struct {
                struct migrate_applied applied[4];
                size_t n_applied;
                int outcome;
                size_t done;
                const char *why; /* must be in the reason */
        } rows[] = {
                {{{0}}, 0, MIGRATE_PLAN_OK, 0, ""},
                {{{1, "0001_base.sql", "aaaa"}}, 1, MIGRATE_PLAN_OK, 1, ""},
                {{{1, "0001_base.sql", "aaaa"}, {2, "0002_work.sql", "bbbb"}, {10, "0010_more.sql", "cccc"}},
                 3,
                 MIGRATE_PLAN_OK,
                 3,
                 ""},
                /* The name is for people; number and checksum decide. */
                {{{1, "0001_renamed.sql", "aaaa"}}, 1, MIGRATE_PLAN_OK, 1, ""},
                {{{1, "0001_base.sql", "xxxx"}}, 1, MIGRATE_PLAN_CHANGED, 0, "0001_base.sql"},
                {{{1, "0001_base.sql", "aaaa"}, {11, "0011_new.sql", "dddd"}},
                 2,
                 MIGRATE_PLAN_NEWER,
                 0,
                 "newer"},
                {{{2, "0002_work.sql", "bbbb"}}, 1, MIGRATE_PLAN_GAP, 0, "0002_work.sql"},
                {{{1, "0001_base.sql", "aaaa"}, {3, "0003_dropped.sql", "bbbb"}},
                 2,
                 MIGRATE_PLAN_GAP,
                 0,
                 "0003"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct errinfo err = ERRINFO_INIT;
                size_t done = 0;
                int r = migrate_plan(files, ARRAY_SIZE(files), rows[i].applied, rows[i].n_applied, &done,
                                     &err);
                assert_int_equal(r, rows[i].outcome);
                assert_int_equal(done, rows[i].done);
                assert_non_null(strstr(err.text, rows[i].why));
        }
}

static void test_no_files_and_no_rows(void **state)
{
        struct errinfo err = ERRINFO_INIT;
        size_t done = 7;
        (void)state;
        assert_int_equal(migrate_plan(NULL, 0, NULL, 0, &done, &err), MIGRATE_PLAN_OK);
        assert_int_equal(done, 0);
}

static void test_the_code_checksum_sees_every_change(void **state)
{
        struct sql_file changed[ARRAY_SIZE(files)];
        char base[MIGRATE_SHA256_SIZE], other[MIGRATE_SHA256_SIZE];
        (void)state;
        migrate_code_sha256(files, ARRAY_SIZE(files), base);
        assert_int_equal(strlen(base), 64);
        migrate_code_sha256(files, ARRAY_SIZE(files) - 1, other);
        assert_string_not_equal(base, other);
        memcpy(changed, files, sizeof(files));
        changed[1].sha256 = "bbbc";
        migrate_code_sha256(changed, ARRAY_SIZE(changed), other);
        assert_string_not_equal(base, other);
        memcpy(changed, files, sizeof(files));
        changed[1].name = "0002_walk.sql";
        migrate_code_sha256(changed, ARRAY_SIZE(changed), other);
        assert_string_not_equal(base, other);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plan),
                cmocka_unit_test(test_no_files_and_no_rows),
                cmocka_unit_test(test_the_code_checksum_sees_every_change),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
