/* test_report.c - outcomes and the JSON that job_finish gets. */
#include "tests/unit/cm.h"

#include <string.h>

#include "common/mem.h"
#include "workerd/commit.h"
#include "workerd/report.h"
#include "workerd/run_status.h"
#include "workerd/verdict.h"

static void assert_json(const struct report *r, const char *expected)
{
        struct strbuf sb = STRBUF_INIT;
        report_write(r, &sb);
        assert_string_equal(sb.buf, expected);
        strbuf_deinit(&sb);
}

/* J-3, J-4: how an agent ended is the outcome, unless it exited with 0. */
static void test_run_end(void **state)
{
        static const struct {
                struct run_status st;
                bool zero;
                enum report_outcome outcome;
                const char *json;
        } rows[] = {
                {{.end = RUN_EXITED, .code = 0}, true, REPORT_NONE, "{\"exit_code\":0}"},
                {{.end = RUN_EXITED, .code = 3},
                 false,
                 REPORT_FAILED,
                 "{\"exit_code\":3,\"reason\":\"the agent exited with 3\"}"},
                {{.end = RUN_SIGNALED, .code = -1, .signo = 9},
                 false,
                 REPORT_KILLED,
                 "{\"signal\":9,\"reason\":\"the agent was killed by signal 9 (Killed)\"}"},
                {{.end = RUN_TIMEOUT, .code = -1, .signo = 15},
                 false,
                 REPORT_TIMEOUT,
                 "{\"signal\":15,\"reason\":\"the agent ran for longer than it may and was stopped\"}"},
                {{.end = RUN_START_FAILED, .code = -1, .error = "No such file or directory"},
                 false,
                 REPORT_FAILED,
                 "{\"reason\":\"the agent could not be started: claude: No such file or directory\"}"},
                {{.end = RUN_STOPPED, .code = -1, .signo = 15, .stop_reason = "signal"},
                 false,
                 REPORT_TRANSIENT,
                 "{\"signal\":15,\"reason\":\"the agent was stopped (signal)\"}"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct report r = REPORT_INIT;
                assert_int_equal(report_run_end(&r, &rows[i].st, "claude"), rows[i].zero);
                assert_int_equal(r.outcome, rows[i].outcome);
                assert_json(&r, rows[i].json);
                report_deinit(&r);
        }
}

static void test_first_outcome_stays(void **state)
{
        struct report r = REPORT_INIT;
        (void)state;
        report_outcome(&r, REPORT_FAILED, "it %s", "broke");
        report_outcome(&r, REPORT_SUCCESS, "no");
        assert_int_equal(r.outcome, REPORT_FAILED);
        assert_json(&r, "{\"reason\":\"it broke\"}");
        report_outcome(&r, REPORT_CANCELLED, "by a person");
        assert_int_equal(r.outcome, REPORT_CANCELLED);
        assert_json(&r, "{\"reason\":\"by a person\"}");
        report_deinit(&r);
}

/* A commit that is only kept in the mirror moves nothing, so it is not reported. */
static void test_commit(void **state)
{
        const struct commit_result commit = {
                .outcome = COMMIT_OK, .sha = "aa", .parent = "bb", .tree = "cc", .code_tree = "dd"};
        const struct verdict_evidence evidence = {
                .gate = "review_approved", .value = "APPROVED", .file = "d/12-review.md", .blob = "ee"};
        struct report r = REPORT_INIT;
        (void)state;
        report_commit(&r, &commit, "feature/x");
        argv_add(&r.refused, "d/13-test-report.md");
        assert_json(&r, "{\"refused\":[\"d/13-test-report.md\"]}");
        r.pushed = true;
        report_add_evidence(&r, &evidence, r.head_sha);
        assert_json(&r,
                    "{\"head_sha\":\"aa\",\"parent_sha\":\"bb\",\"tree\":\"cc\",\"code_tree\":\"dd\","
                    "\"branch\":\"feature/x\","
                    "\"refused\":[\"d/"
                    "13-test-report.md\"],\"evidence\":[{\"gate\":\"review_approved\",\"value\":\"APPROVED\","
                    "\"file\":\"d/12-review.md\",\"blob\":\"ee\",\"sha\":\"aa\"}]}");
        report_deinit(&r);
}

static void test_ci_and_merge(void **state)
{
        struct report r = REPORT_INIT;
        (void)state;
        report_ci_state(&r, "failure");
        strbuf_addstr(&r.log_excerpt, "line \"1\"\n");
        assert_json(&r, "{\"ci\":{\"state\":\"failure\"},\"log_excerpt\":\"line \\\"1\\\"\\n\"}");
        report_deinit(&r);
        report_merge(&r, "aa", "bb", "cc");
        assert_json(&r, "{\"merge\":{\"merged_sha\":\"aa\",\"base_sha\":\"bb\",\"tree\":\"cc\"}}");
        report_deinit(&r);
}

static void test_words(void **state)
{
        (void)state;
        assert_string_equal(report_outcome_word(REPORT_NOTHING_LEFT), "nothing-left");
        assert_int_equal(report_outcome_parse("no-verdict"), REPORT_NO_VERDICT);
        assert_int_equal(report_outcome_parse("missing-artefacts"), REPORT_MISSING_ARTEFACTS);
        assert_int_equal(report_outcome_parse("what?"), REPORT_FAILED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_run_end), cmocka_unit_test(test_first_outcome_stays),
                cmocka_unit_test(test_commit),  cmocka_unit_test(test_ci_and_merge),
                cmocka_unit_test(test_words),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
