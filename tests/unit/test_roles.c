/* Who owns which file, and what each step must leave (P-4, P-4a). */
#include "workerd/roles.h"

#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"
#include "workerd/verdict.h"

#define DOCS "docs/work-items/ORCH-1"

static void test_owners(void **state)
{
        static const struct {
                const char *path, *owner;
        } rows[] = {
                {DOCS "/01-brd.md", "analyst"},
                {DOCS "/04-test-plan.yaml", "analyst"},
                {DOCS "/06-adr/ADR-001-x.md", "architect"},
                {DOCS "/06-adr/deep/er.md", "architect"},
                {DOCS "/06-adr", "architect"},
                {DOCS "/10-tech-risks.md", "architect"},
                {DOCS "/12-review.md", "reviewer"},
                {DOCS "/12-review.md/inside", "reviewer"},
                {DOCS "/13-test-report.md", "tester"},
                {DOCS "/14-deploy-log.md", "finalizer"},
                {DOCS "/15-staging-log.md", "deployer"},
                {DOCS "/16-post-deploy.md", "monitor"},
                {DOCS "/05-questions.md", "analyst"},
                {DOCS "/05-notes.md", NULL},
                {DOCS "/sub/12-review.md", NULL},
                {DOCS "x/12-review.md", NULL},
                {"docs/work-items/ORCH-2/12-review.md", NULL},
                {"12-review.md", NULL},
                {"src/main.c", NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *owner = role_owner(DOCS, rows[i].path);
                assert_int_equal(owner == NULL, rows[i].owner == NULL);
                if (owner != NULL)
                        assert_string_equal(owner, rows[i].owner);
        }
}

static void test_may_change(void **state)
{
        static const struct {
                const char *role, *path;
                bool may;
        } rows[] = {
                {"reviewer", DOCS "/12-review.md", true},
                {"developer", DOCS "/12-review.md", false},
                {"tester", DOCS "/12-review.md", false},
                {"developer", "src/main.c", true},
                {"developer", DOCS "/notes.md", true},
                {"developer", DOCS, false},
                {"analyst", "docs", false},
                {"analyst", "docs/work-items", false},
                {"developer", "docs/other.md", true},
                {"developer", "doc", true},
                {"deployer", DOCS "/16-post-deploy.md", false},
                {"architect", "src/main.c", true},
                {"reviewer", "src/main.c", false},
                {"tester", "tests/new.py", false},
                {"deployer", "docs/other.md", false},
                {"reviewer", "docs/work-items/ORCH-2/12-review.md", false},
                {"reviewer", DOCS "/notes.md", true},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(role_may_change(rows[i].role, DOCS, rows[i].path), rows[i].may);
}

static void test_steps(void **state)
{
        static const struct {
                const char *role, *stage, *gate, *missing;
        } rows[] = {
                {"analyst", "analysis", "artefacts_analyst", "missing-artefacts"},
                {"architect", "architecture", "architecture_done", "missing-artefacts"},
                {"developer", "development", "", "nothing-left"},
                {"reviewer", "review", "review_approved", "no-verdict"},
                {"tester", "testing", "tests_passed", "no-verdict"},
                {"deployer", "deploy-staging", "staging_ok", "no-verdict"},
                {"finalizer", "deploy", "deploy_ok", "no-verdict"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct role_step *step = role_step(rows[i].role, rows[i].stage);
                assert_non_null(step);
                assert_string_equal(step->gate, rows[i].gate);
                assert_string_equal(verdict_missing_outcome(step), rows[i].missing);
                assert_int_equal(step->file != NULL, step->need == ROLE_NEEDS_VERDICT);
                assert_int_equal(step->files != NULL, step->need == ROLE_NEEDS_FILES);
                if (step->need == ROLE_NEEDS_VERDICT)
                        assert_true(step->key != NULL && step->values[0] != NULL && step->values[1] != NULL);
        }
        assert_null(role_step("reviewer", "development"));
        assert_null(role_step("ci", "development"));
}

/* P-9: the analyst alone can ask. */
static void test_who_may_ask(void **state)
{
        static const char *const others[][2] = {{"architect", "architecture"},  {"developer", "development"},
                                                {"reviewer", "review"},         {"tester", "testing"},
                                                {"deployer", "deploy-staging"}, {"deployer", "deploy"},
                                                {"analyst", "development"}};
        (void)state;
        const struct role_question *q = role_question("analyst", "analysis");
        assert_non_null(q);
        assert_string_equal(q->value, "NEEDS_INPUT");
        assert_true(role_may_change("analyst", DOCS, DOCS "/05-questions.md"));
        assert_false(role_may_change("architect", DOCS, DOCS "/05-questions.md"));
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                assert_null(role_question(others[i][0], others[i][1]));
}

/* A role may always write what it must leave. */
static void test_duties_are_allowed(void **state)
{
        static const char *const steps[][2] = {{"analyst", "analysis"},
                                               {"reviewer", "review"},
                                               {"tester", "testing"},
                                               {"deployer", "deploy-staging"},
                                               {"finalizer", "deploy"}};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                const struct role_step *step = role_step(steps[i][0], steps[i][1]);
                const char *const one[] = {step->file, NULL};
                for (const char *const *f = step->files != NULL ? step->files : one; *f != NULL; f++) {
                        _cleanup_(freep) char *path = xasprintf(DOCS "/%s", *f);
                        assert_true(role_may_change(step->role, DOCS, path));
                        assert_string_equal(role_owner(DOCS, path), step->role);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_owners),
                cmocka_unit_test(test_may_change),
                cmocka_unit_test(test_steps),
                cmocka_unit_test(test_who_may_ask),
                cmocka_unit_test(test_duties_are_allowed),
        };
        return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
