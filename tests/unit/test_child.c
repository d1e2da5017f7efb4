/* The state machine of one child, with real processes and a clock that stands still. */
#include "supervisor/child.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "supervisor/restart.h"
#include "tests/unit/child_fixture.h"

/* --- starting and dying --- */

static void test_ready_is_said_not_assumed(void **state)
{
        struct fixture *f = *state;
        start(f, "A", CHILD_STARTING);
        wait_for(f, CHILD_STARTING, is_heard);
        child_quick(f->child);
        wait_for(f, CHILD_STOPPED, always);
        start(f, "R", CHILD_READY);
        assert_true(f->changes >= 5);
}

static void test_malformed_messages_are_nothing(void **state)
{
        struct fixture *f = *state;
        start(f, "sl?", CHILD_STARTING);
        wait_for(f, CHILD_STARTING, is_heard); /* by '?', the last of them */
        loop_clock_advance(f->loop, 1000);
        assert_state(f, CHILD_STARTING);
}

static void test_early_death_waits_a_second(void **state)
{
        struct fixture *f = *state;
        start(f, "x", CHILD_WAITING);
        assert_false(child_throttled(f->child));
        loop_clock_advance(f->loop, RESTART_FIRST_MS - 1);
        assert_state(f, CHILD_WAITING);
        loop_clock_advance(f->loop, 1);
        assert_state(f, CHILD_STARTING);
        wait_for(f, CHILD_WAITING, always);
        loop_clock_advance(f->loop, RESTART_FIRST_MS);
        assert_state(f, CHILD_WAITING); /* twice as long now */
}

static void test_wrong_configuration_throttles(void **state)
{
        struct fixture *f = *state;
        start(f, "c", CHILD_WAITING);
        assert_true(child_throttled(f->child));
        loop_clock_advance(f->loop, RESTART_THROTTLE_MS - 1);
        assert_state(f, CHILD_WAITING);
        f->args[0] = "R";
        loop_clock_advance(f->loop, 1);
        wait_for(f, CHILD_READY, always);
        assert_false(child_throttled(f->child));
}

static void test_settled_child_is_back_at_once(void **state)
{
        struct fixture *f = *state;
        start(f, "R", CHILD_READY);
        loop_clock_advance(f->loop, RESTART_SETTLED_MS);
        uint32_t before = child_busy(f->child);
        assert_int_equal(kill((pid_t)before, SIGKILL), 0);
        wait_for(f, CHILD_WAITING, always);
        assert_int_equal(child_busy(f->child), 0);
        wait_for(f, CHILD_READY, always);
        assert_int_not_equal(child_busy(f->child), before);
}

static void test_missing_program_backs_off(void **state)
{
        struct fixture *f = *state;
        assert_int_equal(unlink(f->program), 0);
        child_start(f->child);
        assert_state(f, CHILD_WAITING);
        assert_int_equal(symlink("/proc/self/exe", f->program), 0); /* for the tear-down */
}

/* No descriptor left: nothing is held against the daemon, and it is tried again often. */
static void test_scarcity_is_waited_out(void **state)
{
        struct fixture *f = *state;
        struct rlimit before, none;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
        f->args[0] = "R";
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        child_start(f->child);
        for (int i = 0; i < 20; i++)
                loop_clock_advance(f->loop, RESTART_SCARCE_MS);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_state(f, CHILD_WAITING);
        assert_false(child_throttled(f->child));
        loop_clock_advance(f->loop, RESTART_SCARCE_MS);
        wait_for(f, CHILD_READY, always);
}

/* --- silence --- */

static void test_silence_aborts(void **state)
{
        struct fixture *f = *state;
        start(f, "", CHILD_STARTING);
        loop_clock_advance(f->loop, CONTRACT_ALIVE_DEAD_MS - 1);
        assert_state(f, CHILD_STARTING);
        loop_clock_advance(f->loop, 1);
        assert_state(f, CHILD_ABORTING);
        wait_for(f, CHILD_WAITING, always);
}

static void test_silence_kills_what_does_not_abort(void **state)
{
        struct fixture *f = *state;
        start(f, "aR", CHILD_READY);
        loop_clock_advance(f->loop, CONTRACT_ALIVE_DEAD_MS);
        assert_state(f, CHILD_ABORTING);
        loop_clock_advance(f->loop, CHILD_ABORT_MS);
        assert_state(f, CHILD_KILLED);
        wait_for(f, CHILD_WAITING, always);
}

static void test_any_message_ends_the_silence(void **state)
{
        struct fixture *f = *state;
        start(f, "uR", CHILD_READY);
        loop_clock_advance(f->loop, CONTRACT_ALIVE_DEAD_MS - 1);
        uint32_t pid = child_busy(f->child);
        assert_int_equal(kill((pid_t)pid, SIGUSR1), 0);
        wait_for_alive(f, pid);
        loop_clock_advance(f->loop, CONTRACT_ALIVE_DEAD_MS - 1);
        assert_state(f, CHILD_READY);
        loop_clock_advance(f->loop, 1);
        assert_state(f, CHILD_ABORTING);
}

static void test_silence_counts_while_draining_too(void **state)
{
        struct fixture *f = *state;
        f->shared.drain_ms = 3600000;
        start(f, "tR", CHILD_READY);
        child_drain(f->child);
        assert_state(f, CHILD_DRAINING);
        loop_clock_advance(f->loop, CONTRACT_ALIVE_DEAD_MS);
        assert_state(f, CHILD_ABORTING);
        wait_for(f, CHILD_STOPPED, always);
}

/* --- stopping --- */

static void test_drain_stops_for_good(void **state)
{
        struct fixture *f = *state;
        start(f, "TR", CHILD_READY);
        child_drain(f->child);
        assert_state(f, CHILD_DRAINING);
        wait_for(f, CHILD_STOPPED, always);
        loop_clock_advance(f->loop, 3600000);
        assert_state(f, CHILD_STOPPED);
}

static void test_replaced_is_another_signal(void **state)
{
        struct fixture *f = *state;
        start(f, "uR", CHILD_READY);
        wait_for(f, CHILD_READY, is_heard);
        uint32_t pid = child_busy(f->child);
        child_replace(f->child);
        assert_state(f, CHILD_DRAINING);
        wait_for_alive(f, pid);
        loop_clock_advance(f->loop, DRAIN_MS + CHILD_DRAIN_MARGIN_MS);
        wait_for(f, CHILD_STOPPED, always);
}

static void test_drain_escalates(void **state)
{
        struct fixture *f = *state;
        start(f, "tiR", CHILD_READY);
        child_drain(f->child);
        loop_clock_advance(f->loop, DRAIN_MS + CHILD_DRAIN_MARGIN_MS - 1);
        assert_state(f, CHILD_DRAINING);
        loop_clock_advance(f->loop, 1);
        assert_state(f, CHILD_QUICK);
        loop_clock_advance(f->loop, CHILD_QUICK_MS);
        assert_state(f, CHILD_KILLED);
        wait_for(f, CHILD_STOPPED, always);
}

static void test_quick_is_quick(void **state)
{
        struct fixture *f = *state;
        start(f, "R", CHILD_READY);
        child_quick(f->child);
        assert_state(f, CHILD_QUICK);
        wait_for(f, CHILD_STOPPED, always);
        start(f, "tiR", CHILD_READY);
        child_drain(f->child);
        child_quick(f->child);
        loop_clock_advance(f->loop, CHILD_QUICK_MS);
        wait_for(f, CHILD_STOPPED, always);
}

static void test_what_waits_is_stopped_at_once(void **state)
{
        static void (*const stop[])(struct child *) = {child_drain, child_quick};
        struct fixture *f = *state;
        for (size_t i = 0; i < ARRAY_SIZE(stop); i++) {
                start(f, "x", CHILD_WAITING);
                stop[i](f->child);
                assert_state(f, CHILD_STOPPED);
                stop[i](f->child);
                loop_clock_advance(f->loop, 3600000);
                assert_state(f, CHILD_STOPPED);
        }
}

static void test_told_to_stop_while_aborting(void **state)
{
        struct fixture *f = *state;
        start(f, "", CHILD_STARTING);
        loop_clock_advance(f->loop, CONTRACT_ALIVE_DEAD_MS);
        child_drain(f->child);
        assert_state(f, CHILD_ABORTING);
        wait_for(f, CHILD_STOPPED, always);
}

/* A daemon that leaves of its own accord is bounded like any drain, and replaced. */
static void test_leaving_by_itself_is_bounded_and_restarted(void **state)
{
        struct fixture *f = *state;
        start(f, "tiRD", CHILD_DRAINING);
        loop_clock_advance(f->loop, DRAIN_MS + CHILD_DRAIN_MARGIN_MS);
        assert_state(f, CHILD_QUICK);
        loop_clock_advance(f->loop, CHILD_QUICK_MS);
        wait_for(f, CHILD_WAITING, always);
}

static void test_leaving_by_itself_then_told_to_stop(void **state)
{
        struct fixture *f = *state;
        start(f, "tRD", CHILD_DRAINING);
        child_drain(f->child);
        assert_state(f, CHILD_DRAINING); /* SIGTERM again would have been its second, and quick */
        child_quick(f->child);
        wait_for(f, CHILD_STOPPED, always);
}

/* --- the rest --- */

static void test_reload_reaches_a_ready_child_only(void **state)
{
        struct fixture *f = *state;
        start(f, "A", CHILD_STARTING); /* SIGHUP would end this one */
        wait_for(f, CHILD_STARTING, is_heard);
        child_reload(f->child);
        child_quick(f->child);
        wait_for(f, CHILD_STOPPED, always);
        child_reload(f->child);
        start(f, "hR", CHILD_READY);
        uint32_t pid = child_busy(f->child);
        child_reload(f->child);
        wait_for_alive(f, pid);
        assert_state(f, CHILD_READY);
}

static void test_reload_while_starting_is_made_up_for(void **state)
{
        struct fixture *f = *state;
        f->args[0] = "hR";
        child_start(f->child);
        child_reload(f->child); /* before it has said anything */
        assert_state(f, CHILD_STARTING);
        wait_for(f, CHILD_READY, is_heard);
        uint32_t pid = child_busy(f->child);
        wait_for_alive(f, pid);
}

static void test_freed_child_leaves_its_process_an_end_of_file(void **state)
{
        struct fixture *f = *state;
        start(f, "R", CHILD_READY);
        pid_t pid = (pid_t)child_busy(f->child);
        child_free(take_ptr(f->child));
        time_t deadline = time(NULL) + 20;
        while (kill(pid, 0) == 0 && time(NULL) <= deadline) {
                (void)loop_run_pending(f->loop);
                (void)poll(NULL, 0, 1);
        }
        assert_int_not_equal(kill(pid, 0), 0);
}

int main(int argc, char *argv[])
{
        const struct CMUnitTest tests[] = {
                CHILD_TEST(test_ready_is_said_not_assumed),
                CHILD_TEST(test_malformed_messages_are_nothing),
                CHILD_TEST(test_early_death_waits_a_second),
                CHILD_TEST(test_wrong_configuration_throttles),
                CHILD_TEST(test_settled_child_is_back_at_once),
                CHILD_TEST(test_missing_program_backs_off),
                CHILD_TEST(test_scarcity_is_waited_out),
                CHILD_TEST(test_silence_aborts),
                CHILD_TEST(test_silence_kills_what_does_not_abort),
                CHILD_TEST(test_any_message_ends_the_silence),
                CHILD_TEST(test_silence_counts_while_draining_too),
                CHILD_TEST(test_drain_stops_for_good),
                CHILD_TEST(test_replaced_is_another_signal),
                CHILD_TEST(test_drain_escalates),
                CHILD_TEST(test_quick_is_quick),
                CHILD_TEST(test_what_waits_is_stopped_at_once),
                CHILD_TEST(test_told_to_stop_while_aborting),
                CHILD_TEST(test_leaving_by_itself_is_bounded_and_restarted),
                CHILD_TEST(test_leaving_by_itself_then_told_to_stop),
                CHILD_TEST(test_reload_reaches_a_ready_child_only),
                CHILD_TEST(test_reload_while_starting_is_made_up_for),
                CHILD_TEST(test_freed_child_leaves_its_process_an_end_of_file),
        };
        if (argc > 1 && strstr(argv[0], "orch-fake") != NULL)
                child_fake_run(argv[1]);
        log_init("test", LOGL_ERROR);
        return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
