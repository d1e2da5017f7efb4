/* test_reconciler_sweep.c - R-3: one statement after the other at each tick, counted, and never two ticks at
 * once.
 */
#include "reconcilerd/sweep.h"

#include "common/loop.h"
#include "common/metrics.h"
#include "common/options.h"
#include "tests/unit/fake_db.h"

#define TICK_MS INT64_C(100)

static void test_ticks(void **state)
{
        static const struct fake_cell found[] = {
                {"examined", "4"}, {"advanced", "2"}, {"skipped", "2"}, {"terminal", "0"}, {"escalated", "0"},
                {"lease", "0"},    {"human", "2"},    {"busy", "0"},    {"red", "0"},      {NULL, NULL}};
        static const struct fake_cell raised[] = {{"raised", "2"}, {NULL, NULL}};
        static const struct fake_cell outside[] = {{"wanted", "3"}, {NULL, NULL}};
        static const struct fake_cell waits[] = {{"deadlocks", "1"}, {NULL, NULL}};
        struct loop *loop = NULL;
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        loop_clock_freeze(loop);
        assert_int_equal(metrics_init("reconcilerd"), 0);
        struct options opt = {.reconcile_interval_ms = TICK_MS};
        const struct sweep_config cfg = {.loop = loop, .opt = &opt};
        struct sweep *s = NULL;
        assert_int_equal(sweep_new(&cfg, &s), 0);
        sweep_wake(s);
        loop_run_pending(loop);
        fake_expect("reconcile_gates");
        sweep_wake(s); /* the database came back meanwhile: not twice */
        loop_clock_advance(loop, 10 * TICK_MS);
        fake_answer(DB_OK, found);
        assert_int_equal(metrics_get(METRIC_RECONCILE_SWEEPS), 1);
        assert_int_equal(metrics_get(METRIC_RECONCILE_ADVANCED), 2);
        assert_int_equal(metrics_get(METRIC_RECONCILE_SKIPPED_HUMAN), 2);
        fake_expect("reconcile_outside");
        fake_answer(DB_OK, outside);
        assert_int_equal(metrics_get(METRIC_RECONCILE_WANTED), 3);
        fake_expect("waits_check");
        fake_answer(DB_OK, waits);
        fake_expect("escalations_raise");
        fake_answer(DB_OK, raised);
        assert_int_equal(metrics_get(METRIC_ESCALATIONS_RAISED_AGAIN), 2);
        fake_expect(NULL);
        loop_clock_advance(loop, TICK_MS);
        fake_expect("reconcile_gates");
        fake_answer(DB_SQL_ERROR, NULL);
        assert_int_equal(metrics_get(METRIC_RECONCILE_SWEEPS), 1);
        fake_expect("reconcile_outside"); /* what is refused holds the others up no longer */
        fake_answer(DB_UNAVAILABLE, NULL);
        fake_expect(NULL); /* nothing would be answered now */
        opt.reconcile_interval_ms = 2 * TICK_MS;
        sweep_reload(s, &opt);
        loop_clock_advance(loop, TICK_MS);
        fake_expect("reconcile_gates");
        sweep_stop(s);
        fake_expect(NULL);
        sweep_wake(s);
        loop_clock_advance(loop, 10 * TICK_MS);
        fake_expect(NULL);
        sweep_free(s);
        loop_free(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_ticks)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
