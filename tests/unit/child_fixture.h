/*
 * child_fixture.h - a child of child.h for a test: its processes are the test program itself, called as
 * orch-fake with a script of letters (child_fake.h), and the clock stands still.
 */
#pragma once

#include "supervisor/child.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "tests/unit/child_fake.h"
#include "tests/unit/cm.h"

#define DRAIN_MS 20000

struct fixture {
        struct loop *loop;
        struct child_shared shared;
        struct child *child;
        char *args[2];
        char folder[32];
        char *program;
        unsigned changes;
};

__attribute__((unused)) static double middle(void)
{
        return 0.5;
}

__attribute__((unused)) static void on_change(void *arg)
{
        struct fixture *f = arg;
        f->changes++;
}

__attribute__((unused)) static int set_up(void **state)
{
        struct fixture *f = xcalloc(1, sizeof(*f));
        char self[256];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0 || loop_new(&f->loop) < 0)
                return -1;
        self[n] = '\0';
        (void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_child.XXXXXX");
        if (mkdtemp(f->folder) == NULL)
                return -1;
        f->program = xasprintf("%s/orch-fake", f->folder);
        if (symlink(self, f->program) < 0)
                return -1;
        loop_clock_freeze(f->loop);
        f->shared = (struct child_shared){
                .plan = {.loop = f->loop,
                         .bin_dir = f->folder,
                         .args = f->args,
                         .listen_fds = {-1, -1, -1},
                         .metrics_fd = -1},
                .drain_ms = DRAIN_MS,
                .random = middle,
                .on_change = on_change,
                .arg = f,
        };
        if (metrics_page_create(&f->shared.plan.metrics, &f->shared.plan.metrics_fd) < 0)
                return -1;
        f->child = child_new(&f->shared, "fake.1",
                             &(struct launch_what){.daemon = "fake", .program = "orch-fake"}, 1);
        *state = f;
        return 0;
}

__attribute__((unused)) static int tear_down(void **state)
{
        struct fixture *f = *state;
        child_free(f->child);
        loop_free(f->loop);
        (void)close(f->shared.plan.metrics_fd);
        int r = unlink(f->program) | rmdir(f->folder);
        free(f->program);
        free(f);
        return r;
}

__attribute__((unused)) static bool always(const struct fixture *f)
{
        (void)f;
        return true;
}

__attribute__((unused)) static bool is_heard(const struct fixture *f)
{
        return child_busy(f->child) != 0;
}

/* Runs the loop, with the clock standing still, until the child is in the state and the condition holds. */
__attribute__((unused)) static void wait_for(struct fixture *f, enum child_state wanted,
                                             bool (*condition)(const struct fixture *f))
{
        time_t deadline = time(NULL) + 20;
        while (child_state(f->child) != wanted || !condition(f)) {
                (void)loop_run_pending(f->loop);
                (void)poll(NULL, 0, 1);
                if (time(NULL) > deadline)
                        fail_msg("is %s, not %s", child_state_name(child_state(f->child)),
                                 child_state_name(wanted));
        }
}

/* Until the process has said that it is alive. */
__attribute__((unused)) static void wait_for_alive(struct fixture *f, uint32_t pid)
{
        time_t deadline = time(NULL) + 20;
        while (child_busy(f->child) != pid + 1) {
                (void)loop_run_pending(f->loop);
                (void)poll(NULL, 0, 1);
                assert_true(time(NULL) <= deadline);
        }
}

__attribute__((unused)) static void start(struct fixture *f, char *script, enum child_state wanted)
{
        f->args[0] = script;
        child_start(f->child);
        wait_for(f, wanted, always);
}

__attribute__((unused)) static void assert_state(const struct fixture *f, enum child_state wanted)
{
        assert_string_equal(child_state_name(child_state(f->child)), child_state_name(wanted));
}

#define CHILD_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
