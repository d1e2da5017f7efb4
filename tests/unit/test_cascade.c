/* The stop cascade (J-3), event by event, on a clock of numbers. */
#include "shim/cascade.h"

#include "common/mem.h"
#include "tests/unit/cm.h"

#define GRACE 1000
#define WALL  60000

struct step {
        int64_t at_ms;
        enum cascade_event ev;
        enum cascade_action action; /* what must be done then */
        enum cascade_state state;   /* where that leads */
        int64_t deadline_ms;
};

static void play(const struct step *steps, size_t n, enum cascade_cause stop, enum cascade_cause want)
{
        struct cascade c;
        cascade_init(&c, 0, WALL, GRACE);
        assert_int_equal(c.deadline_ms, WALL);
        for (size_t i = 0; i < n; i++) {
                const struct step *s = &steps[i];
                assert_int_equal(cascade_on(&c, s->ev, stop, s->at_ms), s->action);
                assert_int_equal(c.state, s->state);
                assert_int_equal(c.deadline_ms, s->deadline_ms);
        }
        assert_int_equal(c.cause, want);
}

static void test_ends_alone(void **state)
{
        static const struct step steps[] = {
                {10, CASCADE_EV_CHILD, CASCADE_DO_NOTHING, CASCADE_RUNNING, WALL},
                {20, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(steps, ARRAY_SIZE(steps), CASCADE_CAUSE_NONE, CASCADE_CAUSE_NONE);
}

static void test_leaves_something_behind(void **state)
{
        static const struct step steps[] = {
                {10, CASCADE_EV_LEADER, CASCADE_DO_TERM, CASCADE_TERM, 10 + GRACE},
                {20, CASCADE_EV_CHILD, CASCADE_DO_TERM, CASCADE_TERM, 10 + GRACE},
                {30, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(steps, ARRAY_SIZE(steps), CASCADE_CAUSE_NONE, CASCADE_CAUSE_NONE);
}

static void test_stopped_and_obeys(void **state)
{
        static const struct step steps[] = {
                {10, CASCADE_EV_STOP, CASCADE_DO_TERM, CASCADE_TERM, 10 + GRACE},
                {20, CASCADE_EV_STOP, CASCADE_DO_NOTHING, CASCADE_TERM, 10 + GRACE},
                {30, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
                {40, CASCADE_EV_STOP, CASCADE_DO_NOTHING, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(steps, ARRAY_SIZE(steps), CASCADE_CAUSE_CANCELLED, CASCADE_CAUSE_CANCELLED);
}

static void test_wall_clock_and_kill(void **state)
{
        enum { K = WALL + GRACE };
        static const struct step steps[] = {
                {WALL, CASCADE_EV_TIMER, CASCADE_DO_TERM, CASCADE_TERM, K},
                {WALL + 1, CASCADE_EV_STOP, CASCADE_DO_NOTHING, CASCADE_TERM, K},
                {K, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, K + CASCADE_REPEAT_MS},
                {K + 1, CASCADE_EV_LEADER, CASCADE_DO_KILL, CASCADE_KILL, K + CASCADE_REPEAT_MS},
                {K + 100, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, K + 100 + CASCADE_REPEAT_MS},
                {K + 150, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(steps, ARRAY_SIZE(steps), CASCADE_CAUSE_SHUTDOWN, CASCADE_CAUSE_WALL);
}

/* What cannot be killed is reported once, and tried again until it has gone. */
static void test_stuck(void **state)
{
        enum { K = 10 + GRACE, P = K + CASCADE_PATIENCE_MS };
        static const struct step steps[] = {
                {10, CASCADE_EV_STOP, CASCADE_DO_TERM, CASCADE_TERM, K},
                {K, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, K + CASCADE_REPEAT_MS},
                {P - 1, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, P - 1 + CASCADE_REPEAT_MS},
                {P, CASCADE_EV_TIMER, CASCADE_DO_REPORT, CASCADE_STUCK, P + CASCADE_STUCK_MS},
                {P + 5, CASCADE_EV_CHILD, CASCADE_DO_KILL, CASCADE_STUCK, P + CASCADE_STUCK_MS},
                {P + 1000, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_STUCK, P + 1000 + CASCADE_STUCK_MS},
                {P + 2000, CASCADE_EV_NONE, CASCADE_DO_NOTHING, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(steps, ARRAY_SIZE(steps), CASCADE_CAUSE_ORPHANED, CASCADE_CAUSE_ORPHANED);
}

static void test_limits_of_the_clocks(void **state)
{
        struct cascade c;
        (void)state;
        cascade_init(&c, 5, 0, GRACE);
        assert_int_equal(c.deadline_ms, CASCADE_NEVER);
        cascade_init(&c, 5, INT64_MAX, INT64_MAX);
        assert_int_equal(c.deadline_ms, CASCADE_NEVER);
        assert_int_equal(cascade_on(&c, CASCADE_EV_STOP, CASCADE_CAUSE_SIGNAL, 6), CASCADE_DO_TERM);
        assert_int_equal(c.deadline_ms, CASCADE_NEVER);
}

/* Whatever comes in whatever order: no state but GONE is without a way out, and exactly one report is made.
 */
static void test_any_order_reports_once(void **state)
{
        uint32_t seed = 1;
        (void)state;
        for (int round = 0; round < 2000; round++) {
                struct cascade c;
                int reports = 0;
                int64_t now = 0;
                cascade_init(&c, now, WALL, GRACE);
                for (int i = 0; c.state != CASCADE_GONE; i++) {
                        seed = seed * 1664525u + 1013904223u;
                        enum cascade_event ev = i < 200 ? (seed >> 16) % CASCADE_N_EVENTS : CASCADE_EV_NONE;
                        if (ev == CASCADE_EV_NONE && i < 200 && (seed >> 8) % 8 != 0)
                                ev = CASCADE_EV_CHILD;
                        if (ev == CASCADE_EV_TIMER && c.deadline_ms == CASCADE_NEVER)
                                continue;
                        now = ev == CASCADE_EV_TIMER ? c.deadline_ms : now + 1;
                        reports += cascade_on(&c, ev, CASCADE_CAUSE_CANCELLED, now) == CASCADE_DO_REPORT;
                }
                assert_int_equal(reports, 1);
                assert_int_equal(c.deadline_ms, CASCADE_NEVER);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ends_alone),
                cmocka_unit_test(test_leaves_something_behind),
                cmocka_unit_test(test_stopped_and_obeys),
                cmocka_unit_test(test_wall_clock_and_kill),
                cmocka_unit_test(test_stuck),
                cmocka_unit_test(test_limits_of_the_clocks),
                cmocka_unit_test(test_any_order_reports_once),
        };
        return cmocka_run_group_tests_name("cascade", tests, NULL, NULL);
}
