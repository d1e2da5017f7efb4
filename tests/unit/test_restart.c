/* The restart policy, row by row, and as a life of several deaths. */
#include "supervisor/restart.h"

#include <errno.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

#define MIDDLE 0.5 /* no jitter */

static void test_unsettled_deaths_double_the_wait(void **state)
{
        /* Two minutes apart, so that the tally never throttles. */
        static const int64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
        struct restart r = {0};
        int64_t now_ms = 1000000;
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(waits_ms); i++, now_ms += 120000) {
                struct restart_verdict v =
                        restart_decide(&r, RESTART_DIED, RESTART_SETTLED_MS - 1, now_ms, MIDDLE);
                assert_int_equal(v.kind, RESTART_BACKOFF);
                assert_int_equal(v.delay_ms, waits_ms[i]);
        }
}

static void test_first_death(void **state)
{
        static const struct {
                enum restart_cause cause;
                int64_t ready_ms;
                double random;
                enum restart_kind kind;
                int64_t delay_ms;
        } rows[] = {
                {RESTART_DIED, 0, MIDDLE, RESTART_BACKOFF, 1000},
                {RESTART_DIED, 0, 0.0, RESTART_BACKOFF, 900},
                {RESTART_DIED, 0, 1.0, RESTART_BACKOFF, 1100},
                {RESTART_DIED, 9999, MIDDLE, RESTART_BACKOFF, 1000},
                {RESTART_DIED, 10000, MIDDLE, RESTART_NOW, 0},
                {RESTART_DIED, INT64_MAX, MIDDLE, RESTART_NOW, 0},
                {RESTART_CONFIG, 0, MIDDLE, RESTART_THROTTLED, 60000},
                {RESTART_CONFIG, 3600000, MIDDLE, RESTART_THROTTLED, 60000},
                {RESTART_SCARCE, 0, MIDDLE, RESTART_BACKOFF, 1000},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct restart r = {0};
                struct restart_verdict v =
                        restart_decide(&r, rows[i].cause, rows[i].ready_ms, 0, rows[i].random);
                assert_int_equal(v.kind, rows[i].kind);
                assert_int_equal(v.delay_ms, rows[i].delay_ms);
        }
}

/* The same child, death after death: when, after how long a readiness, and what follows. */
static void test_a_life(void **state)
{
        static const struct {
                int64_t at_ms, ready_ms;
                enum restart_kind kind;
                int64_t delay_ms;
        } deaths[] = {
                {0, 0, RESTART_BACKOFF, 1000},
                {1000, 0, RESTART_BACKOFF, 2000},
                {3000, 0, RESTART_BACKOFF, 4000},
                {7000, 0, RESTART_BACKOFF, 8000},
                {15000, 0, RESTART_THROTTLED, 60000}, /* the fifth in 15 s */
                {75000, 0, RESTART_BACKOFF, 32000},   /* the throttle does not forget how many */
                {107000, 0, RESTART_BACKOFF, 60000},
                {167000, 0, RESTART_BACKOFF, 60000},
                {300000, 60000, RESTART_NOW, 0}, /* settled: all is forgiven */
                {301000, 0, RESTART_BACKOFF, 1000},
                {320000, 15000, RESTART_NOW, 0},
                {335000, 15000, RESTART_NOW, 0},
                {350000, 15000, RESTART_THROTTLED,
                 60000}, /* settling is no licence to die five times a minute */
                {426000, 15000, RESTART_NOW, 0},
        };
        struct restart r = {0};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(deaths); i++) {
                struct restart_verdict v =
                        restart_decide(&r, RESTART_DIED, deaths[i].ready_ms, deaths[i].at_ms, MIDDLE);
                assert_int_equal(v.kind, deaths[i].kind);
                assert_int_equal(v.delay_ms, deaths[i].delay_ms);
        }
}

static void test_window_edge(void **state)
{
        struct restart r = {0};
        (void)state;
        for (int64_t at_ms = 0; at_ms < 40000; at_ms += 10000)
                (void)restart_decide(&r, RESTART_DIED, 20000, at_ms, MIDDLE);
        struct restart inside = r, outside = r;
        assert_int_equal(restart_decide(&inside, RESTART_DIED, 20000, 59999, MIDDLE).kind, RESTART_THROTTLED);
        assert_int_equal(restart_decide(&outside, RESTART_DIED, 20000, 60000, MIDDLE).kind, RESTART_NOW);
}

/* A host without process slots for an hour: tried often, never throttled, and no mark against the daemon. */
static void test_scarcity_is_no_fault(void **state)
{
        static const int64_t waits_ms[] = {1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000};
        struct restart r = {0};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(waits_ms); i++) {
                struct restart_verdict v = restart_decide(&r, RESTART_SCARCE, 0, (int64_t)i, MIDDLE);
                assert_int_equal(v.kind, RESTART_BACKOFF);
                assert_int_equal(v.delay_ms, waits_ms[i]);
        }
        assert_int_equal(r.deaths, 0);
        assert_int_equal(restart_decide(&r, RESTART_DIED, 0, 100, MIDDLE).delay_ms, 1000);
        assert_int_equal(restart_decide(&r, RESTART_SCARCE, 0, 200, MIDDLE).delay_ms, 1000);
}

static void test_cause_of_a_failed_start(void **state)
{
        static const struct {
                int r;
                enum restart_cause cause;
        } rows[] = {
                {-EAGAIN, RESTART_SCARCE}, {-ENOMEM, RESTART_SCARCE}, {-EMFILE, RESTART_SCARCE},
                {-ENFILE, RESTART_SCARCE}, {-ENOSPC, RESTART_SCARCE}, {-ENOENT, RESTART_DIED},
                {-EACCES, RESTART_DIED},   {-ENOEXEC, RESTART_DIED},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(restart_cause_of_failed_start(rows[i].r), rows[i].cause);
}

static void test_counters_never_overflow(void **state)
{
        struct restart r = {.unsettled = UINT32_MAX - 1, .scarce = UINT32_MAX - 1};
        (void)state;
        for (int i = 0; i < 3; i++) {
                assert_int_equal(restart_decide(&r, RESTART_SCARCE, 0, 0, MIDDLE).delay_ms,
                                 RESTART_SCARCE_MS);
                r.deaths = 0;
        }
        for (int i = 0; i < 3; i++) {
                assert_int_equal(restart_decide(&r, RESTART_DIED, 0, 0, MIDDLE).delay_ms, RESTART_LONGEST_MS);
                r.deaths = 0;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_unsettled_deaths_double_the_wait),
                cmocka_unit_test(test_first_death),
                cmocka_unit_test(test_a_life),
                cmocka_unit_test(test_window_edge),
                cmocka_unit_test(test_scarcity_is_no_fault),
                cmocka_unit_test(test_cause_of_a_failed_start),
                cmocka_unit_test(test_counters_never_overflow),
        };
        return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
