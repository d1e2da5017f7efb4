/* The life of a run (J-3, J-8), event by event, on a clock of numbers. */
#include "shim/cascade.h"

#include <errno.h>
#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

#define GRACE       1000
#define WALL        60000
#define FREEZE      400
#define FROZEN_KILL 5000

static const struct cascade_limits walled = {.wall_ms = WALL, .grace_ms = GRACE};
static const struct cascade_limits watched = {
        .wall_ms = WALL, .grace_ms = GRACE, .freeze_ms = FREEZE, .frozen_kill_ms = FROZEN_KILL};

/* CASCADE_EV_TIMER in a step stands for whichever clock is over then. */
struct step {
        int64_t at_ms;
        enum cascade_event ev;
        enum cascade_action action; /* what must be done then */
        enum cascade_state state;   /* where that leads */
        int64_t deadline_ms;
};

static enum cascade_action happen(struct cascade *c, enum cascade_event ev, enum cascade_cause cause,
                                  int64_t at_ms)
{
        enum cascade_action action;
        if (ev == CASCADE_EV_TIMER)
                return cascade_tick(c, at_ms);
        if (ev != CASCADE_EV_RENEWED)
                return cascade_on(c, ev, cause, at_ms);
        assert_int_equal(cascade_renew(c, at_ms, at_ms, &action), 0);
        return action;
}

static void play(const struct cascade_limits *limits, const struct step *steps, size_t n,
                 enum cascade_cause stop, enum cascade_cause want)
{
        struct cascade c;
        cascade_init(&c, limits, 0, 0);
        assert_int_equal(cascade_deadline(&c), limits->freeze_ms > 0 ? FREEZE : WALL);
        for (size_t i = 0; i < n; i++) {
                const struct step *s = &steps[i];
                enum cascade_action action = happen(&c, s->ev, stop, s->at_ms);
                if (action != s->action || c.state != s->state || cascade_deadline(&c) != s->deadline_ms)
                        fail_msg("step %zu: action %d, state %d, deadline %lld", i, action, c.state,
                                 (long long)cascade_deadline(&c));
        }
        assert_int_equal(c.cause, want);
}

/* ---- the stop ---- */

static void test_ends_alone(void **state)
{
        static const struct step steps[] = {
                {10, CASCADE_EV_CHILD, CASCADE_DO_NOTHING, CASCADE_RUNNING, WALL},
                {20, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&walled, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_NONE, CASCADE_CAUSE_NONE);
}

static void test_leaves_something_behind(void **state)
{
        static const struct step steps[] = {
                {10, CASCADE_EV_LEADER, CASCADE_DO_TERM, CASCADE_TERM, 10 + GRACE},
                {20, CASCADE_EV_CHILD, CASCADE_DO_TERM, CASCADE_TERM, 10 + GRACE},
                {30, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&walled, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_NONE, CASCADE_CAUSE_NONE);
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
        play(&walled, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_CANCELLED, CASCADE_CAUSE_CANCELLED);
}

static void test_wall_clock_and_kill(void **state)
{
        enum { K = WALL + GRACE };
        static const struct step steps[] = {
                {WALL - 1, CASCADE_EV_TIMER, CASCADE_DO_NOTHING, CASCADE_RUNNING, WALL},
                {WALL, CASCADE_EV_TIMER, CASCADE_DO_TERM, CASCADE_TERM, K},
                {WALL + 1, CASCADE_EV_STOP, CASCADE_DO_NOTHING, CASCADE_TERM, K},
                {K, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, K + CASCADE_REPEAT_MS},
                {K + 1, CASCADE_EV_LEADER, CASCADE_DO_KILL, CASCADE_KILL, K + CASCADE_REPEAT_MS},
                {K + 100, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, K + 100 + CASCADE_REPEAT_MS},
                {K + 150, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&walled, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_SHUTDOWN, CASCADE_CAUSE_WALL);
}

static void test_killed_at_once(void **state)
{
        static const struct step steps[] = {
                {10, CASCADE_EV_KILL, CASCADE_DO_KILL, CASCADE_KILL, 10 + CASCADE_REPEAT_MS},
                {20, CASCADE_EV_KILL, CASCADE_DO_NOTHING, CASCADE_KILL, 10 + CASCADE_REPEAT_MS},
                {30, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&walled, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_KILLED, CASCADE_CAUSE_KILLED);
}

/* What cannot be killed is reported once, and tried again until it has gone. */
static void test_stuck(void **state)
{
        enum { K = 10 + GRACE, P = K + CASCADE_PATIENCE_MS };
        static const struct step steps[] = {
                {10, CASCADE_EV_STOP, CASCADE_DO_TERM, CASCADE_TERM, K},
                {K, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, K + CASCADE_REPEAT_MS},
                {P - 1, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, P - 1 + CASCADE_REPEAT_MS},
                {P + 100, CASCADE_EV_TIMER, CASCADE_DO_REPORT, CASCADE_STUCK, P + 100 + CASCADE_STUCK_MS},
                {P + 105, CASCADE_EV_CHILD, CASCADE_DO_KILL, CASCADE_STUCK, P + 100 + CASCADE_STUCK_MS},
                {P + 2000, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_STUCK, P + 2000 + CASCADE_STUCK_MS},
                {P + 2500, CASCADE_EV_NONE, CASCADE_DO_NOTHING, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&walled, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_SIGNAL, CASCADE_CAUSE_SIGNAL);
}

/* ---- the dead man's switch ---- */

static void test_freezes_and_goes_on(void **state)
{
        static const struct step steps[] = {
                {300, CASCADE_EV_RENEWED, CASCADE_DO_NOTHING, CASCADE_RUNNING, 700},
                {700, CASCADE_EV_TIMER, CASCADE_DO_FREEZE, CASCADE_FROZEN, 700 + CASCADE_FREEZE_MS},
                {710, CASCADE_EV_CHILD, CASCADE_DO_FREEZE, CASCADE_FROZEN, 700 + CASCADE_FREEZE_MS},
                {1200, CASCADE_EV_TIMER, CASCADE_DO_FREEZE, CASCADE_FROZEN, 1200 + CASCADE_FREEZE_MS},
                {1300, CASCADE_EV_RENEWED, CASCADE_DO_THAW, CASCADE_RUNNING, 1700},
                {1310, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&watched, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_NONE, CASCADE_CAUSE_NONE);
}

static void test_frozen_for_too_long(void **state)
{
        enum { F = FREEZE, A = F + FROZEN_KILL };
        static const struct step steps[] = {
                {F, CASCADE_EV_TIMER, CASCADE_DO_FREEZE, CASCADE_FROZEN, F + CASCADE_FREEZE_MS},
                {A - 1, CASCADE_EV_TIMER, CASCADE_DO_FREEZE, CASCADE_FROZEN, A},
                {A, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, A + CASCADE_REPEAT_MS},
                {A + 1, CASCADE_EV_RENEWED, CASCADE_DO_NOTHING, CASCADE_KILL, A + CASCADE_REPEAT_MS},
                {A + 2, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&watched, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_NONE, CASCADE_CAUSE_ABANDONED);
}

static void test_stopped_while_frozen(void **state)
{
        enum { F = FREEZE };
        static const struct step steps[] = {
                {F, CASCADE_EV_TIMER, CASCADE_DO_FREEZE, CASCADE_FROZEN, F + CASCADE_FREEZE_MS},
                {F + 1, CASCADE_EV_STOP, CASCADE_DO_TERM_THAW, CASCADE_TERM, F + 1 + GRACE},
                {F + 1 + GRACE, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL,
                 F + 1 + GRACE + CASCADE_REPEAT_MS},
        };
        (void)state;
        play(&watched, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_CANCELLED, CASCADE_CAUSE_CANCELLED);
}

static void test_killed_while_frozen(void **state)
{
        enum { F = FREEZE };
        static const struct step steps[] = {
                {F, CASCADE_EV_TIMER, CASCADE_DO_FREEZE, CASCADE_FROZEN, F + CASCADE_FREEZE_MS},
                {F + 1, CASCADE_EV_KILL, CASCADE_DO_KILL, CASCADE_KILL, F + 1 + CASCADE_REPEAT_MS},
        };
        (void)state;
        play(&watched, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_KILLED, CASCADE_CAUSE_KILLED);
}

static void test_dies_while_frozen(void **state)
{
        enum { F = FREEZE };
        static const struct step steps[] = {
                {F, CASCADE_EV_TIMER, CASCADE_DO_FREEZE, CASCADE_FROZEN, F + CASCADE_FREEZE_MS},
                {F + 1, CASCADE_EV_LEADER, CASCADE_DO_KILL, CASCADE_KILL, F + 1 + CASCADE_REPEAT_MS},
                {F + 2, CASCADE_EV_NONE, CASCADE_DO_REPORT, CASCADE_GONE, CASCADE_NEVER},
        };
        (void)state;
        play(&watched, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_NONE, CASCADE_CAUSE_NONE);
}

/* A grace is no leave to act for longer than anybody answers for. */
static void test_not_renewed_while_stopping(void **state)
{
        static const struct step steps[] = {
                {100, CASCADE_EV_STOP, CASCADE_DO_TERM, CASCADE_TERM, FREEZE},
                {200, CASCADE_EV_RENEWED, CASCADE_DO_NOTHING, CASCADE_TERM, 200 + FREEZE},
                {600, CASCADE_EV_TIMER, CASCADE_DO_KILL, CASCADE_KILL, 600 + CASCADE_REPEAT_MS},
        };
        (void)state;
        play(&watched, steps, ARRAY_SIZE(steps), CASCADE_CAUSE_SHUTDOWN, CASCADE_CAUSE_SHUTDOWN);
}

/* Only a renewal that is fresh by itself counts; a stale one, an older one, one of the future change nothing.
 */
static void test_renewals(void **state)
{
        static const struct {
                int64_t sent_ms, now_ms;
                int r;
                enum cascade_state state;
        } rows[] = {
                {-5, 1000, 0, CASCADE_FROZEN},
                {1000 - FREEZE, 1000, 0, CASCADE_FROZEN},
                {1001, 1000, -EINVAL, CASCADE_FROZEN},
                {INT64_MAX, 1000, -EINVAL, CASCADE_FROZEN},
                {1000 - FREEZE + 1, 1000, 0, CASCADE_RUNNING},
        };
        struct cascade c;
        enum cascade_action action;
        (void)state;
        cascade_init(&c, &watched, 0, 0);
        assert_int_equal(cascade_tick(&c, FREEZE), CASCADE_DO_FREEZE);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(cascade_renew(&c, rows[i].sent_ms, rows[i].now_ms, &action), rows[i].r);
                assert_int_equal(c.state, rows[i].state);
                assert_int_equal(action == CASCADE_DO_THAW, c.state == CASCADE_RUNNING);
        }
        assert_int_equal(cascade_deadline(&c), 1001);
        assert_int_equal(cascade_renew(&c, 550, 1000, &action), 0); /* overtaken by a newer one */
        assert_int_equal(cascade_deadline(&c), 1001);
}

/* A run may begin with a beat that is old already, but not with one of the future. */
static void test_renewed_before_the_start(void **state)
{
        struct cascade c;
        (void)state;
        cascade_init(&c, &watched, 1000, 700);
        assert_int_equal(cascade_deadline(&c), 700 + FREEZE);
        cascade_init(&c, &watched, 1000, 100);
        assert_int_equal(cascade_tick(&c, 1000), CASCADE_DO_FREEZE);
        cascade_init(&c, &watched, 1000, 5000);
        assert_int_equal(cascade_deadline(&c), 1000 + FREEZE);
}

/* ---- the clocks of the work ---- */

static void test_start_and_idle(void **state)
{
        static const struct cascade_limits limits = {.start_ms = 100, .idle_ms = 50, .grace_ms = GRACE};
        struct cascade c;
        (void)state;
        cascade_init(&c, &limits, 0, 0);
        assert_int_equal(cascade_deadline(&c), 100); /* the idle clock begins with the first output */
        assert_int_equal(cascade_tick(&c, 100), CASCADE_DO_TERM);
        assert_string_equal(cascade_cause_name(c.cause), "start");

        cascade_init(&c, &limits, 0, 0);
        cascade_output(&c, 99);
        assert_int_equal(cascade_tick(&c, 100), CASCADE_DO_NOTHING);
        cascade_output(&c, 120);
        assert_int_equal(cascade_deadline(&c), 170);
        assert_int_equal(cascade_tick(&c, 170), CASCADE_DO_TERM);
        assert_string_equal(cascade_cause_name(c.cause), "idle");
        cascade_output(&c, 171); /* last words start nothing */
        assert_int_equal(cascade_deadline(&c), 170 + GRACE);
}

static void test_clocks_stand_still_while_frozen(void **state)
{
        static const struct cascade_limits limits = {
                .wall_ms = 1000, .start_ms = 600, .idle_ms = 500, .grace_ms = GRACE, .freeze_ms = FREEZE};
        struct cascade c;
        enum cascade_action action;
        (void)state;
        cascade_init(&c, &limits, 0, 0);
        assert_int_equal(cascade_tick(&c, 400), CASCADE_DO_FREEZE);
        for (int64_t now = 900; now <= 9900; now += CASCADE_FREEZE_MS)
                assert_int_equal(cascade_tick(&c, now), CASCADE_DO_FREEZE);
        assert_int_equal(cascade_renew(&c, 10400, 10400, &action), 0);
        assert_int_equal(c.at_ms[CASCADE_CLOCK_WALL], 11000);
        assert_int_equal(c.at_ms[CASCADE_CLOCK_START], 10600);
        assert_true(c.at_ms[CASCADE_CLOCK_IDLE] == CASCADE_NEVER);

        /* Output that is read while it is frozen was written just before. */
        assert_int_equal(cascade_tick(&c, 10800), CASCADE_DO_TERM); /* start, as it is the first */
        assert_int_equal(c.cause, CASCADE_CAUSE_START);
        cascade_init(&c, &limits, 0, 0);
        assert_int_equal(cascade_tick(&c, 400), CASCADE_DO_FREEZE);
        cascade_output(&c, 5000);
        assert_int_equal(cascade_renew(&c, 8000, 8000, &action), 0);
        assert_int_equal(c.at_ms[CASCADE_CLOCK_IDLE], 8500);
        assert_true(c.at_ms[CASCADE_CLOCK_START] == CASCADE_NEVER);
}

static void test_after_the_result(void **state)
{
        static const struct cascade_limits limits = {.wall_ms = 5000,
                                                     .start_ms = 100,
                                                     .idle_ms = 50,
                                                     .after_result_ms = 300,
                                                     .grace_ms = GRACE,
                                                     .freeze_ms = 2000};
        struct cascade c;
        enum cascade_action action;
        (void)state;
        cascade_init(&c, &limits, 0, 0);
        cascade_output(&c, 10);
        cascade_result(&c, 10); /* it may be silent from now on, but has to end */
        assert_int_equal(cascade_deadline(&c), 310);
        cascade_output(&c, 100);
        assert_int_equal(cascade_deadline(&c), 310);
        cascade_result(&c, 110); /* the newest one counts */
        assert_int_equal(cascade_deadline(&c), 410);
        assert_int_equal(cascade_tick(&c, 410), CASCADE_DO_TERM);
        assert_string_equal(cascade_cause_name(c.cause), "after-result");
        cascade_result(&c, 420);
        assert_int_equal(cascade_deadline(&c), 410 + GRACE);

        /* Frozen, it stands still as the others do. */
        cascade_init(&c, &limits, 0, 0);
        cascade_output(&c, 1900);
        cascade_result(&c, 1900);
        assert_int_equal(cascade_tick(&c, 2000), CASCADE_DO_FREEZE);
        assert_int_equal(cascade_renew(&c, 4000, 4000, &action), 0);
        assert_int_equal(c.at_ms[CASCADE_CLOCK_RESULT], 4200);
        assert_true(c.at_ms[CASCADE_CLOCK_IDLE] == CASCADE_NEVER);
}

static void test_without_that_clock_a_result_is_output(void **state)
{
        static const struct cascade_limits limits = {.idle_ms = 50, .grace_ms = GRACE};
        struct cascade c;
        (void)state;
        cascade_init(&c, &limits, 0, 0);
        cascade_output(&c, 10);
        cascade_result(&c, 10);
        assert_int_equal(cascade_deadline(&c), 60);
}

static void test_limits_of_the_clocks(void **state)
{
        static const struct cascade_limits none = {.grace_ms = 0};
        static const struct cascade_limits endless = {.wall_ms = INT64_MAX,
                                                      .start_ms = INT64_MAX,
                                                      .idle_ms = INT64_MAX,
                                                      .grace_ms = INT64_MAX,
                                                      .freeze_ms = INT64_MAX};
        struct cascade c;
        (void)state;
        cascade_init(&c, &none, 5, 5);
        assert_true(cascade_deadline(&c) == CASCADE_NEVER);
        assert_int_equal(cascade_tick(&c, INT64_MAX), CASCADE_DO_NOTHING);
        assert_int_equal(cascade_on(&c, CASCADE_EV_STOP, CASCADE_CAUSE_SIGNAL, 6), CASCADE_DO_TERM);
        assert_int_equal(cascade_tick(&c, 6), CASCADE_DO_KILL);
        cascade_init(&c, &endless, 5, 5);
        cascade_output(&c, 6);
        assert_true(cascade_deadline(&c) == CASCADE_NEVER);
        assert_int_equal(cascade_on(&c, CASCADE_EV_STOP, CASCADE_CAUSE_SIGNAL, 6), CASCADE_DO_TERM);
        assert_true(cascade_deadline(&c) == CASCADE_NEVER);
}

/* Whatever comes in whatever order: no state but GONE is without a way out, exactly one report is made, what
 * was stopped goes on or is ended, and nothing goes on but by a renewal or with a SIGTERM. */
static void test_any_order(void **state)
{
        uint32_t seed = 1;
        (void)state;
        for (int round = 0; round < 2000; round++) {
                struct cascade c;
                int reports = 0;
                int64_t now = 0;
                cascade_init(&c, &watched, now, 0);
                for (int i = 0; c.state != CASCADE_GONE; i++) {
                        seed = seed * 1664525u + 1013904223u;
                        enum cascade_event ev = i < 200 ? (seed >> 16) % CASCADE_N_EVENTS : CASCADE_EV_NONE;
                        if (i < 200 && (ev == CASCADE_EV_NONE || ev == CASCADE_EV_LEADER) &&
                            (seed >> 8) % 8 != 0)
                                ev = CASCADE_EV_CHILD;
                        if (ev == CASCADE_EV_TIMER && cascade_deadline(&c) == CASCADE_NEVER)
                                continue;
                        enum cascade_state before = c.state;
                        now = ev == CASCADE_EV_TIMER ? cascade_deadline(&c) : now + 1;
                        enum cascade_action action = happen(&c, ev, CASCADE_CAUSE_CANCELLED, now);
                        reports += action == CASCADE_DO_REPORT;
                        assert_true(cascade_deadline(&c) > now || c.limits.grace_ms == 0);
                        if (before == CASCADE_FROZEN && c.state == CASCADE_RUNNING)
                                assert_true(action == CASCADE_DO_THAW && ev == CASCADE_EV_RENEWED);
                        else if (before == CASCADE_FROZEN && c.state == CASCADE_TERM)
                                assert_int_equal(action, CASCADE_DO_TERM_THAW);
                        else
                                assert_true(action != CASCADE_DO_THAW && action != CASCADE_DO_TERM_THAW);
                }
                assert_int_equal(reports, 1);
                assert_true(cascade_deadline(&c) == CASCADE_NEVER);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ends_alone),
                cmocka_unit_test(test_leaves_something_behind),
                cmocka_unit_test(test_stopped_and_obeys),
                cmocka_unit_test(test_wall_clock_and_kill),
                cmocka_unit_test(test_killed_at_once),
                cmocka_unit_test(test_stuck),
                cmocka_unit_test(test_freezes_and_goes_on),
                cmocka_unit_test(test_frozen_for_too_long),
                cmocka_unit_test(test_stopped_while_frozen),
                cmocka_unit_test(test_killed_while_frozen),
                cmocka_unit_test(test_dies_while_frozen),
                cmocka_unit_test(test_not_renewed_while_stopping),
                cmocka_unit_test(test_renewals),
                cmocka_unit_test(test_renewed_before_the_start),
                cmocka_unit_test(test_start_and_idle),
                cmocka_unit_test(test_clocks_stand_still_while_frozen),
                cmocka_unit_test(test_after_the_result),
                cmocka_unit_test(test_without_that_clock_a_result_is_output),
                cmocka_unit_test(test_limits_of_the_clocks),
                cmocka_unit_test(test_any_order),
        };
        return cmocka_run_group_tests_name("cascade", tests, NULL, NULL);
}
