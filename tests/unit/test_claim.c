/* test_claim.c - from a row of job_claim to what a run needs. */
#include "workerd/claim.h"

#include <errno.h>

#include "tests/unit/fake_db.h"

#define N_CELLS 42

static const struct fake_cell good[N_CELLS + 1] = {
        {"job_id", "12"},
        {"epoch", "3"},
        {"token", "t"},
        {"work_item", "ORCH-1"},
        {"title", "T"},
        {"description", ""},
        {"role", "developer"},
        {"kind", "agent"},
        {"stage", "development"},
        {"input", NULL},
        {"failed_log", "not ok 2"},
        {"earlier", NULL},
        {"attempt", "2"},
        {"max_attempts", "3"},
        {"crashed", "t"},
        {"branch", "b"},
        {"head_sha", NULL},
        {"base_sha", NULL},
        {"session_id", NULL},
        {"resumes", NULL},
        {"former_sessions", "2:a 1:b"},
        {"repo", "r"},
        {"forge", "local"},
        {"forge_location", "/x"},
        {"default_branch", "main"},
        {"docs_dir", "docs/w"},
        {"test_command", NULL},
        {"command", NULL},
        {"test_globs", "test_*"},
        {"gate_config_globs", ""},
        {"announced", "aa bb"},
        {"pushing", "{cc,dd}"},
        {"run_head", "cc"},
        {"tested_base", NULL},
        {"deployed_sha", "ee"},
        {"integrity_markers", "a.c:needle"},
        {"integrity", NULL},
        {"tested", "t"},
        {"rebase_always", "f"},
        {"forge_url", NULL},
        {"forge_token_file", NULL},
        {"forge_name", NULL},
        {NULL, NULL},
};

static void set_row(const struct fake_cell *const *row)
{
        fake_rows = row;
        fake_n_rows = 1;
}

static void test_good(void **state)
{
        struct claim c;
        struct run_info info;
        struct errinfo err = ERRINFO_INIT;
        const struct db_result res = {.outcome = DB_OK};
        (void)state;
        const struct fake_cell *const rows[] = {good};
        set_row(rows);
        assert_int_equal(claim_read(&c, &res, 0, &err), 0);
        assert_int_equal(c.kind, CLAIM_AGENT);
        assert_true(c.crashed);
        assert_string_equal(c.pushing, "{cc,dd}");
        assert_string_equal(c.run_head, "cc");
        assert_null(c.tested_base);
        assert_string_equal(c.deployed_sha, "ee");
        assert_string_equal(c.markers, "a.c:needle");
        assert_true(c.tested && !c.rebase_always);
        claim_run_info(&c, &info);
        assert_int_equal(info.job, 12);
        assert_int_equal(info.epoch, 3);
        assert_int_equal(info.attempt, 2);
        assert_string_equal(info.remote.url, "/x");
        assert_string_equal(info.test_command, "");
        assert_null(info.input);
        assert_string_equal(info.failed_log, "not ok 2");
        assert_null(info.earlier);
        assert_null(info.head_sha);
        claim_deinit(&c);
}

/* Whatever is wrong with a row, its fence can be used to say so. */
static void test_bad(void **state)
{
        static const struct fake_cell wrong[] = {
                {"kind", "dance"},  {"kind", NULL}, {"role", ""},
                {"branch", NULL},   {"repo", NULL}, {"forge", ""},
                {"docs_dir", NULL}, {"stage", ""},  {"default_branch", NULL},
        };
        const struct db_result res = {.outcome = DB_OK};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                struct fake_cell row[N_CELLS + 1];
                struct errinfo err = ERRINFO_INIT;
                struct claim c;
                memcpy(row, good, sizeof(row));
                for (size_t k = 0; k < N_CELLS; k++)
                        if (strcmp(row[k].column, wrong[i].column) == 0)
                                row[k] = wrong[i];
                const struct fake_cell *const rows[] = {row};
                set_row(rows);
                assert_int_equal(claim_read(&c, &res, 0, &err), -EINVAL);
                assert_string_not_equal(err.text, "");
                assert_int_equal(c.job, 12);
                assert_string_equal(c.token, "t");
                claim_deinit(&c);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
