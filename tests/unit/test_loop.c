/* Timers on a frozen clock, descriptors, signals, and objects that free themselves or each other. */
#include "common/loop.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"
#include "tests/unit/loop_wait.h"

/* A timer that writes its name into a shared trace. */
struct probe {
        struct loop *loop;
        struct loop_timer *timer;
        struct strbuf *trace;
        char name;
        int64_t again_ms;     /* >= 0: arms itself again */
        struct probe *victim; /* freed when this one runs */
};

static void on_probe(void *arg)
{
        struct probe *p = arg;
        strbuf_addch(p->trace, p->name);
        if (p->again_ms >= 0)
                loop_timer_arm(p->timer, p->again_ms);
        if (p->victim != NULL) {
                loop_timer_free(p->victim->timer);
                p->victim->timer = NULL;
        }
}

static struct probe probe(struct loop *loop, struct strbuf *trace, char name)
{
        return (struct probe){.loop = loop, .trace = trace, .name = name, .again_ms = -1};
}

static struct loop *frozen_loop(void)
{
        struct loop *loop;
        assert_int_equal(loop_new(&loop), 0);
        loop_clock_freeze(loop);
        return loop;
}

static int64_t real_ms(void)
{
        struct timespec now;
        assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void let_real_time_pass(int64_t ms)
{
        int64_t start = real_ms();
        while (real_ms() <= start + ms)
                ;
}

static void test_time_stands_still(void **state)
{
        struct loop *loop = frozen_loop();
        struct strbuf trace = STRBUF_INIT;
        struct probe a = probe(loop, &trace, 'a');
        (void)state;
        a.timer = loop_timer_new(loop, on_probe, &a);
        int64_t start = loop_now_ms(loop);
        loop_timer_arm(a.timer, 1);
        let_real_time_pass(3);
        while (loop_run_pending(loop))
                ;
        assert_int_equal(loop_now_ms(loop), start);
        assert_string_equal(trace.buf, "");
        assert_true(loop_timer_armed(a.timer));
        loop_clock_advance(loop, 1);
        assert_string_equal(trace.buf, "a");
        assert_false(loop_timer_armed(a.timer));
        assert_int_equal(loop_now_ms(loop), start + 1);
        loop_timer_free(a.timer);
        strbuf_deinit(&trace);
        loop_free(loop);
}

static void test_order_moves_and_disarms(void **state)
{
        struct loop *loop = frozen_loop();
        struct strbuf trace = STRBUF_INIT;
        struct probe p[4];
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
                p[i] = probe(loop, &trace, (char)('a' + i));
                p[i].timer = loop_timer_new(loop, on_probe, &p[i]);
        }
        loop_timer_arm(p[0].timer, 300);
        loop_timer_arm(p[1].timer, 100);
        loop_timer_arm(p[2].timer, 200);
        loop_timer_arm(p[3].timer, 50);
        loop_timer_arm(p[3].timer, 250); /* moved */
        loop_timer_disarm(p[2].timer);
        loop_clock_advance(loop, 99);
        assert_string_equal(trace.buf, "");
        loop_clock_advance(loop, 1000);
        assert_string_equal(trace.buf, "bda");
        for (size_t i = 0; i < ARRAY_SIZE(p); i++)
                loop_timer_free(p[i].timer);
        strbuf_deinit(&trace);
        loop_free(loop);
}

static void test_each_deadline_at_its_own_time(void **state)
{
        struct loop *loop = frozen_loop();
        struct strbuf trace = STRBUF_INIT;
        struct probe a = probe(loop, &trace, 'a');
        (void)state;
        a.again_ms = 10;
        a.timer = loop_timer_new(loop, on_probe, &a);
        loop_timer_arm(a.timer, 10);
        loop_clock_advance(loop, 55);
        assert_string_equal(trace.buf, "aaaaa");
        loop_clock_advance(loop, 5);
        assert_string_equal(trace.buf, "aaaaaa");
        loop_timer_free(a.timer);
        strbuf_deinit(&trace);
        loop_free(loop);
}

static void test_may_free_each_other_and_itself(void **state)
{
        struct loop *loop = frozen_loop();
        struct strbuf trace = STRBUF_INIT;
        struct probe a = probe(loop, &trace, 'a'), b = probe(loop, &trace, 'b'), c = probe(loop, &trace, 'c');
        (void)state;
        a.timer = loop_timer_new(loop, on_probe, &a);
        b.timer = loop_timer_new(loop, on_probe, &b);
        c.timer = loop_timer_new(loop, on_probe, &c);
        a.victim = &b;
        c.victim = &c;
        loop_timer_arm(a.timer, 5);
        loop_timer_arm(b.timer, 5);
        loop_timer_arm(c.timer, 5);
        loop_clock_advance(loop, 5);
        assert_string_equal(trace.buf, "ac");
        loop_timer_free(a.timer);
        strbuf_deinit(&trace);
        loop_free(loop);
}

static void test_soon_runs_without_time_passing(void **state)
{
        struct loop *loop = frozen_loop();
        struct strbuf trace = STRBUF_INIT;
        struct probe a = probe(loop, &trace, 'a');
        (void)state;
        a.timer = loop_timer_new(loop, on_probe, &a);
        loop_timer_soon(a.timer);
        assert_string_equal(trace.buf, "");
        assert_true(loop_run_pending(loop));
        assert_string_equal(trace.buf, "a");
        assert_false(loop_run_pending(loop));

        loop_timer_arm(a.timer, 60000); /* advanced to, not waited for: the next one is still run at once */
        loop_clock_advance(loop, 60000);
        loop_timer_soon(a.timer);
        assert_true(loop_run_pending(loop));
        assert_string_equal(trace.buf, "aaa");
        loop_timer_free(a.timer);
        strbuf_deinit(&trace);
        loop_free(loop);
}

static void test_what_was_armed_before_the_freeze(void **state)
{
        struct loop *loop;
        struct strbuf trace = STRBUF_INIT;
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        struct probe a = probe(loop, &trace, 'a');
        a.timer = loop_timer_new(loop, on_probe, &a);
        loop_timer_arm(a.timer, 60000);
        loop_clock_freeze(loop);
        loop_clock_advance(loop, 60000);
        assert_string_equal(trace.buf, "a");
        loop_timer_soon(a.timer);
        assert_true(loop_run_pending(loop));
        assert_string_equal(trace.buf, "aa");
        loop_timer_free(a.timer);
        strbuf_deinit(&trace);
        loop_free(loop);
}

struct pipe_probe {
        int fds[2];
        struct loop_io *io;
        unsigned events;
        bool called;
};

static void on_pipe(void *arg, int fd, unsigned events)
{
        struct pipe_probe *p = arg;
        char c;
        p->events = events;
        p->called = true;
        if (read(fd, &c, 1) != 1) {
                loop_io_free(p->io); /* from its own callback */
                p->io = NULL;
        }
}

/* A timer that asks to run again at once must not keep descriptors from their turn. */
static void test_soon_does_not_starve_descriptors(void **state)
{
        struct loop *loop = frozen_loop(); /* the worst case: it is due again in the same moment */
        struct strbuf trace = STRBUF_INIT;
        struct pipe_probe pp = {.called = false};
        (void)state;
        struct probe a = probe(loop, &trace, 'a');
        a.again_ms = 0;
        a.timer = loop_timer_new(loop, on_probe, &a);
        loop_timer_soon(a.timer);
        assert_int_equal(pipe(pp.fds), 0);
        pp.io = loop_io_new(loop, pp.fds[0], LOOP_READ, on_pipe, &pp);
        assert_int_equal(write(pp.fds[1], "x", 1), 1);
        assert_true(loop_wait(loop, &pp.called));
        loop_io_free(pp.io);
        loop_timer_free(a.timer);
        close(pp.fds[0]);
        close(pp.fds[1]);
        strbuf_deinit(&trace);
        loop_free(loop);
}

static void test_descriptors(void **state)
{
        struct loop *loop;
        struct pipe_probe pp = {.called = false};
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        assert_int_equal(pipe(pp.fds), 0);
        pp.io = loop_io_new(loop, pp.fds[0], 0, on_pipe, &pp);
        assert_int_equal(write(pp.fds[1], "x", 1), 1);
        assert_false(loop_run_pending(loop));
        loop_io_set(pp.io, LOOP_READ);
        assert_true(loop_run_pending(loop));
        assert_int_equal(pp.events, LOOP_READ);
        assert_false(loop_run_pending(loop));
        loop_io_set(pp.io, 0);
        close(pp.fds[1]);
        assert_false(loop_run_pending(loop));
        loop_io_set(pp.io, LOOP_READ);
        pp.called = false;
        assert_true(loop_wait(loop, &pp.called)); /* end of file */
        assert_null(pp.io);
        close(pp.fds[0]);
        loop_free(loop);
}

static void on_signal_seen(void *arg, int signo)
{
        *(bool *)arg = signo == SIGUSR1;
}

static void test_signals(void **state)
{
        struct loop *loop;
        bool seen = false;
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        struct loop_signal *s = loop_signal_new(loop, SIGUSR1, on_signal_seen, &seen);
        assert_int_equal(raise(SIGUSR1), 0);
        assert_false(seen); /* from the loop only */
        assert_true(loop_wait(loop, &seen));
        loop_signal_free(s);
        loop_free(loop);

        struct sigaction sa;
        assert_int_equal(sigaction(SIGPIPE, NULL, &sa), 0);
        assert_ptr_equal(sa.sa_handler, SIG_IGN);
}

static void on_stop(void *arg)
{
        loop_stop(arg);
}

static void test_run_and_stop(void **state)
{
        struct loop *loop;
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        loop_stop(loop);
        assert_int_equal(loop_run(loop), 0); /* a stop before the run counts */
        struct loop_timer *t = loop_timer_new(loop, on_stop, loop);
        int64_t start = loop_now_ms(loop);
        loop_timer_arm(t, 20);
        assert_int_equal(loop_run(loop), 0);
        assert_true(loop_now_ms(loop) >= start + 20);
        loop_timer_free(t);
        loop_free(loop);
}

static void count_up(void *arg)
{
        ++*(int *)arg;
}

static void test_at_free(void **state)
{
        struct loop *loop;
        int n = 0;
        struct loop_at_free a = {.fn = count_up, .arg = &n}, b = a, c = a;
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        loop_at_free_add(loop, &a);
        loop_at_free_add(loop, &b);
        loop_at_free_add(loop, &c);
        loop_at_free_remove(loop, &b);
        loop_at_free_remove(loop, &b);
        loop_free(loop);
        assert_int_equal(n, 2);
        loop_free(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_time_stands_still),
                cmocka_unit_test(test_order_moves_and_disarms),
                cmocka_unit_test(test_each_deadline_at_its_own_time),
                cmocka_unit_test(test_may_free_each_other_and_itself),
                cmocka_unit_test(test_soon_runs_without_time_passing),
                cmocka_unit_test(test_what_was_armed_before_the_freeze),
                cmocka_unit_test(test_soon_does_not_starve_descriptors),
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_signals),
                cmocka_unit_test(test_run_and_stop),
                cmocka_unit_test(test_at_free),
        };
        return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
