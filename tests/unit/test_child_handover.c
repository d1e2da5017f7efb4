/* A child that the next program takes over from this one: its waits, its tally and its orders go on. */
#include "supervisor/child.h"

#include <string.h>

#include "common/log.h"
#include "supervisor/handover.h"
#include "supervisor/restart.h"
#include "tests/unit/child_fixture.h"

/* Puts another child in the place of the fixture's, as the next program would. */
static void succeed(struct fixture *f)
{
        struct handover_child h = {.number = 1};
        child_hand_over(f->child, &h);
        child_free(f->child);
        f->child = child_take_over(&f->shared, "fake.1",
                                   &(struct launch_what){.daemon = "fake", .program = "orch-fake"}, 1, &h);
}

static void test_a_wait_goes_on_after_a_handover(void **state)
{
        struct fixture *f = *state;
        start(f, "c", CHILD_WAITING);
        loop_clock_advance(f->loop, RESTART_THROTTLE_MS / 2);
        succeed(f);
        assert_state(f, CHILD_WAITING);
        assert_true(child_throttled(f->child));
        loop_clock_advance(f->loop, RESTART_THROTTLE_MS / 2 - 1);
        assert_state(f, CHILD_WAITING);
        f->args[0] = "R";
        loop_clock_advance(f->loop, 1);
        wait_for(f, CHILD_READY, always);
}

static void test_the_tally_goes_on_after_a_handover(void **state)
{
        struct fixture *f = *state;
        start(f, "x", CHILD_WAITING);
        for (int deaths = 1; deaths < RESTART_DEATHS; deaths++) {
                assert_false(child_throttled(f->child));
                succeed(f);
                loop_clock_advance(f->loop, (int64_t)RESTART_FIRST_MS << (deaths - 1));
                assert_state(f, CHILD_STARTING);
                wait_for(f, CHILD_WAITING, always);
        }
        assert_true(child_throttled(f->child));
}

static void test_what_was_stopped_stays_so_after_a_handover(void **state)
{
        struct fixture *f = *state;
        start(f, "TR", CHILD_READY);
        child_drain(f->child);
        wait_for(f, CHILD_STOPPED, always);
        succeed(f);
        assert_state(f, CHILD_STOPPED);
        child_drain(f->child);
        assert_state(f, CHILD_STOPPED);
}

int main(int argc, char *argv[])
{
        const struct CMUnitTest tests[] = {
                CHILD_TEST(test_a_wait_goes_on_after_a_handover),
                CHILD_TEST(test_the_tally_goes_on_after_a_handover),
                CHILD_TEST(test_what_was_stopped_stays_so_after_a_handover),
        };
        if (argc > 1 && strstr(argv[0], "orch-fake") != NULL)
                child_fake_run(argv[1]);
        log_init("test", LOGL_ERROR);
        return cmocka_run_group_tests_name("child_handover", tests, NULL, NULL);
}
