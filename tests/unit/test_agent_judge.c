/* What the end of an agent's run comes to: its status and its own word, all combinations that differ. */
#include "workerd/agent_judge.h"

#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"
#include "workerd/report.h"
#include "workerd/run_status.h"

#define EXIT(n)                                                                                              \
        {                                                                                                    \
                .end = RUN_EXITED, .code = (n)                                                               \
        }
#define LATE                                                                                                 \
        {                                                                                                    \
                .end = RUN_STOPPED, .code = -1, .signo = 15, .stop_reason = "after-result"                   \
        }
#define TIMEOUT                                                                                              \
        {                                                                                                    \
                .end = RUN_TIMEOUT, .code = -1, .signo = 15, .stop_reason = "wall"                           \
        }
#define SIGNAL                                                                                               \
        {                                                                                                    \
                .end = RUN_SIGNALED, .code = -1, .signo = 9                                                  \
        }
#define STOPPED                                                                                              \
        {                                                                                                    \
                .end = RUN_STOPPED, .code = -1, .signo = 15, .stop_reason = "abandoned"                      \
        }
#define NOTHING                                                                                              \
        {                                                                                                    \
                .worked = false                                                                              \
        }
#define WORKED                                                                                               \
        {                                                                                                    \
                .worked = true                                                                               \
        }
#define GOOD                                                                                                 \
        {                                                                                                    \
                .worked = true, .has_result = true, .result_good = true, .result_kind = "success"            \
        }
#define BAD                                                                                                  \
        {                                                                                                    \
                .worked = true, .has_result = true, .result_kind = "error_max_turns",                        \
                .result_text = "too many"                                                                    \
        }
#define IN(what)                                                                                             \
        {                                                                                                    \
                .worked = true, .trouble = (what), .trouble_status = 429, .trouble_word = "w", .reset_s = 99 \
        }

struct row {
        struct run_status status;
        struct agent_facts facts;
        const char *text;
        bool resumed;
        /* what must come of it */
        bool good;
        enum report_outcome outcome;
        const char *reason;   /* a part of it */
        const char *provider; /* a part of what it is told to have said; NULL: nothing */
        int64_t retry_s;
        bool final;
        const char *retired;
};

static const struct row rows[] = {
        {EXIT(0), GOOD, "", false, true, REPORT_NONE, NULL, NULL, 0, false, NULL},
        {LATE, GOOD, "", false, true, REPORT_NONE, NULL, NULL, 0, false, NULL},
        {EXIT(1), GOOD, "", false, false, REPORT_FAILED, "then exited with 1", NULL, 0, false, NULL},
        {SIGNAL, GOOD, "", false, false, REPORT_KILLED, "signal 9", NULL, 0, false, NULL},
        {TIMEOUT, GOOD, "", false, false, REPORT_TIMEOUT, "ran for longer", NULL, 0, false, NULL},
        {EXIT(0), WORKED, "", false, false, REPORT_FAILED, "said no result", NULL, 0, false, NULL},
        {EXIT(0), BAD, "", false, false, REPORT_FAILED, "(error_max_turns): too many", NULL, 0, false, NULL},
        {LATE, BAD, "", false, false, REPORT_FAILED, "too many", NULL, 0, false, NULL},
        {LATE, WORKED, "", false, false, REPORT_FAILED, "cannot be read", NULL, 0, false, NULL},
        {EXIT(3), WORKED, "", false, false, REPORT_FAILED, "exited with 3", NULL, 0, false, NULL},
        {STOPPED, WORKED, "", false, false, REPORT_TRANSIENT, "abandoned", NULL, 0, false, NULL},
        {STOPPED, GOOD, "", false, false, REPORT_TRANSIENT, "abandoned", NULL, 0, false, NULL},
        /* its provider is the reason, however it ended then */
        {EXIT(1), IN(AGENT_BUSY), "", false, false, REPORT_TRANSIENT, "could not serve it: w (429)", "429", 0,
         false, NULL},
        {TIMEOUT, IN(AGENT_BUSY), "", false, false, REPORT_TRANSIENT, "could not serve", "429", 0, false,
         NULL},
        {SIGNAL, IN(AGENT_LIMITED), "", false, false, REPORT_TRANSIENT, "used up", "used up", 99, false,
         NULL},
        {EXIT(0), IN(AGENT_LIMITED), "", false, false, REPORT_TRANSIENT, "used up", "used up", 99, false,
         NULL},
        {STOPPED, IN(AGENT_LIMITED), "", false, false, REPORT_TRANSIENT, "abandoned", NULL, 0, false, NULL},
        {EXIT(1), IN(AGENT_DENIED), "", false, false, REPORT_FAILED, "does not serve", "does not serve", 0,
         true, NULL},
        {EXIT(1), IN(AGENT_FULL), "", false, false, REPORT_FAILED, "no room left", NULL, 0, false,
         "no room left"},
        /* sessions */
        {EXIT(1), IN(AGENT_NO_SESSION), "", true, false, REPORT_TRANSIENT, "does not know", NULL, 0, false,
         "refused"},
        {EXIT(1), IN(AGENT_NO_SESSION), "", false, false, REPORT_FAILED, "does not know", NULL, 0, false,
         "refused"},
        {EXIT(1), NOTHING, "", true, false, REPORT_FAILED, "exited with 1", NULL, 0, false,
         "it did not go on"},
        {EXIT(1), WORKED, "", true, false, REPORT_FAILED, "exited with 1", NULL, 0, false, NULL},
        {TIMEOUT, NOTHING, "", true, false, REPORT_TIMEOUT, "longer", NULL, 0, false, NULL},
        /* words: the last resort, and only of what gave up by itself */
        {EXIT(1), WORKED, "x\nError: EcoNNreset\n", false, false, REPORT_TRANSIENT, "\"ECONNRESET\"",
         "ECONNRESET", 0, false, NULL},
        {EXIT(1), WORKED, "ECONNRESET\n1\n2\n3\n4\n5\n6\n7\n8\n", false, false, REPORT_FAILED,
         "exited with 1", NULL, 0, false, NULL},
        {TIMEOUT, WORKED, "ECONNRESET\n", false, false, REPORT_TIMEOUT, "longer", NULL, 0, false, NULL},
        {EXIT(0), GOOD, "ECONNRESET\n", false, true, REPORT_NONE, NULL, NULL, 0, false, NULL},
        {EXIT(1),
         {.has_result = true, .result_text = "over loaded"},
         "",
         false,
         false,
         REPORT_TRANSIENT,
         "over loaded",
         "over loaded",
         0,
         false,
         NULL},
};

static void check(const struct row *row, size_t i)
{
        struct report r = REPORT_INIT;
        const struct agent_end end = {.status = &row->status,
                                      .facts = &row->facts,
                                      .text = row->text,
                                      .patterns = " ECONNRESET, over loaded ,,",
                                      .command = "claude",
                                      .resumed = row->resumed};
        bool good = agent_judge(&r, &end);
        const char *reason = r.reason != NULL ? r.reason : "",
                   *provider = r.provider_error != NULL ? r.provider_error : "";
        const char *retired = r.session_retired != NULL ? r.session_retired : "";
        if (good != row->good || r.outcome != row->outcome ||
            (row->reason != NULL && strstr(reason, row->reason) == NULL) ||
            (row->provider == NULL) != (r.provider_error == NULL) ||
            (row->provider != NULL && strstr(provider, row->provider) == NULL) ||
            r.provider_retry_s != row->retry_s || r.final != row->final ||
            strcmp(retired, row->retired != NULL ? row->retired : "") != 0)
                fail_msg("row %zu: %d %d \"%s\" \"%s\" \"%s\"", i, good, r.outcome, reason, provider,
                         retired);
        report_deinit(&r);
}

static void test_agents_with_events(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                check(&rows[i], i);
}

static void test_commands(void **state)
{
        static const struct {
                struct run_status status;
                const char *text;
                bool good;
                enum report_outcome outcome;
        } cases[] = {
                {EXIT(0), "overloaded_error\n", true, REPORT_NONE},
                {EXIT(1), "all is lost\n", false, REPORT_FAILED},
                {EXIT(1), "overloaded_error\n", false, REPORT_TRANSIENT},
                {SIGNAL, "overloaded_error\n", false, REPORT_KILLED},
                {LATE, "", false, REPORT_TRANSIENT},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct report r = REPORT_INIT;
                const struct agent_end end = {.status = &cases[i].status,
                                              .text = cases[i].text,
                                              .patterns = "overloaded_error",
                                              .command = "./agent"};
                assert_int_equal(agent_judge(&r, &end), cases[i].good);
                assert_int_equal(r.outcome, cases[i].outcome);
                report_deinit(&r);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_agents_with_events),
                cmocka_unit_test(test_commands),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
