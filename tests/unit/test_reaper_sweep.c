/* test_reaper_sweep.c - when the reaper asks, whom it reports, and what it does with an answer that does not
 * come. */
#include "reaperd/sweep.h"

#include <stdio.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/proc.h"
#include "tests/unit/fake_db.h"

#define TICK_MS INT64_C(100)

struct world {
        struct loop *loop;
        struct sweep *sweep;
        char pid[24], start[24];
        struct fake_cell alive[6], gone[6], gone_too[6];
};

static void fill(struct fake_cell *row, const char *id, const char *pid, const char *start)
{
        row[0] = (struct fake_cell){"process_id", id};
        row[1] = (struct fake_cell){"boot_id", proc_boot_id()};
        row[2] = (struct fake_cell){"daemon", "workerd"};
        row[3] = (struct fake_cell){"pid", pid};
        row[4] = (struct fake_cell){"pid_start", start};
        row[5] = (struct fake_cell){NULL, NULL};
}

static int setup(void **state)
{
        struct world *w = xcalloc(1, sizeof(*w));
        unsigned long long start = 0;
        assert_int_equal(loop_new(&w->loop), 0);
        loop_clock_freeze(w->loop);
        assert_int_equal(proc_start_time(getpid(), &start), 0);
        (void)snprintf(w->pid, sizeof(w->pid), "%ld", (long)getpid());
        (void)snprintf(w->start, sizeof(w->start), "%llu", start);
        fill(w->alive, "1", w->pid, w->start);
        fill(w->gone, "2", "4194304", "1");
        fill(w->gone_too, "3", w->pid, "1");
        w->sweep = sweep_new(w->loop, NULL, "h", TICK_MS);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;
        sweep_free(w->sweep);
        loop_free(w->loop);
        free(w);
        return 0;
}

static void wake(struct world *w)
{
        sweep_wake(w->sweep);
        loop_run_pending(w->loop);
}

static void test_reports_the_dead_only(void **state)
{
        static const struct fake_cell one_job[] = {{"jobs", "1"}, {NULL, NULL}};
        struct world *w = *state;
        const struct fake_cell *const rows[] = {w->gone, w->alive, w->gone_too};
        fake_expect(NULL);
        wake(w);
        fake_expect("processes_of_host");
        assert_string_equal(fake_pending->params[0], "h");
        fake_answer_rows(DB_OK, rows, 3);
        fake_expect("process_gone");
        assert_string_equal(fake_pending->params[0], "2");
        assert_string_equal(fake_pending->params[1], "pid 4194304 does not exist");
        fake_answer(DB_OK, one_job);
        fake_expect("process_gone");
        assert_string_equal(fake_pending->params[0], "3");
        fake_answer(DB_OK, one_job);
        fake_expect(NULL);
        loop_clock_advance(w->loop, TICK_MS); /* somebody will have been started instead */
        fake_expect("processes_of_host");
}

/* A quiet host is asked about at every few ticks; its processes are looked at in each. */
static void test_a_list_lasts_for_some_ticks(void **state)
{
        struct world *w = *state;
        const struct fake_cell *const rows[] = {w->alive};
        unsigned lists = 0;
        wake(w);
        fake_answer_rows(DB_OK, rows, 1);
        for (int i = 0; i < 24; i++) {
                loop_clock_advance(w->loop, TICK_MS);
                if (fake_pending == NULL)
                        continue;
                fake_expect("processes_of_host");
                fake_answer_rows(DB_OK, rows, 1);
                lists++;
        }
        assert_int_equal(lists, 4);
}

static void test_a_failure_waits_for_the_next_tick(void **state)
{
        struct world *w = *state;
        const struct fake_cell *const rows[] = {w->gone};
        wake(w);
        fake_answer(DB_UNAVAILABLE, NULL);
        fake_expect(NULL);
        loop_clock_advance(w->loop, TICK_MS);
        fake_expect("processes_of_host");
        fake_answer_rows(DB_OK, rows, 1);
        fake_expect("process_gone");
        fake_answer(DB_UNKNOWN, NULL);
        fake_expect(NULL);
        loop_clock_advance(w->loop, TICK_MS);
        fake_expect("processes_of_host");
        fake_answer_rows(DB_OK, rows, 1);
        fake_expect("process_gone"); /* again: it is idempotent */
}

static void test_stopped(void **state)
{
        struct world *w = *state;
        wake(w);
        fake_expect("processes_of_host");
        sweep_stop(w->sweep);
        fake_expect(NULL);
        wake(w);
        loop_clock_advance(w->loop, 10 * TICK_MS);
        fake_expect(NULL);
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                ROW(test_reports_the_dead_only),
                ROW(test_a_list_lasts_for_some_ticks),
                ROW(test_a_failure_waits_for_the_next_tick),
                ROW(test_stopped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
