/* test_reaper_sweep.c - when the reaper asks, whom it reports as what, and what it does with an answer that
 * does not come. */
#include "reaperd/sweep.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/process_row.h"
#include "tests/unit/fake_db.h"
#include "tests/unit/reaper_alone.h"

#define TICK_MS     INT64_C(1000)
#define FREEZE_MS   INT64_C(20000)
#define TAKEOVER_MS INT64_C(40000)

struct world {
        struct loop *loop;
        struct options *opt;
        struct sweep *sweep;
        char pid[24], start[24];
        struct fake_cell alive[8], gone[8], gone_too[8], afar[8];
};

/* Our own process has no row, so that the step for what is left on this host has nothing to do. */
bool process_row_live(const struct process_row *row)
{
        (void)row;
        return false;
}

int64_t process_row_id(const struct process_row *row)
{
        (void)row;
        return 0;
}

int64_t process_row_epoch(const struct process_row *row)
{
        (void)row;
        return 0;
}

static void fill(struct fake_cell *row, const char *id, const char *host, const char *pid, const char *start)
{
        row[0] = (struct fake_cell){"process_id", id};
        row[1] = (struct fake_cell){"host", host};
        row[2] = (struct fake_cell){"boot_id", proc_boot_id()};
        row[3] = (struct fake_cell){"daemon", "workerd"};
        row[4] = (struct fake_cell){"pid", pid};
        row[5] = (struct fake_cell){"pid_start", start};
        row[6] = (struct fake_cell){"beat_count", "5"};
        row[7] = (struct fake_cell){NULL, NULL};
}

static int setup(void **state)
{
        struct world *w = xcalloc(1, sizeof(*w));
        unsigned long long start = 0;
        assert_int_equal(loop_new(&w->loop), 0);
        loop_clock_freeze(w->loop);
        assert_int_equal(options_load_file(NULL, &w->opt, NULL), OPTIONS_OK);
        w->opt->reaper_interval_ms = TICK_MS;
        w->opt->freeze_after_ms = FREEZE_MS;
        w->opt->takeover_after_ms = TAKEOVER_MS;
        assert_int_equal(proc_start_time(getpid(), &start), 0);
        (void)snprintf(w->pid, sizeof(w->pid), "%ld", (long)getpid());
        (void)snprintf(w->start, sizeof(w->start), "%llu", start);
        fill(w->alive, "1", "h", w->pid, w->start);
        fill(w->gone, "2", "h", "4194304", "1");
        fill(w->gone_too, "3", "h", w->pid, "1");
        fill(w->afar, "4", "elsewhere", "4194304", "1");
        const struct sweep_config cfg = {.loop = w->loop, .host = "h", .opt = w->opt};
        assert_int_equal(sweep_new(&cfg, &w->sweep), 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;
        sweep_free(w->sweep);
        options_free(w->opt);
        loop_free(w->loop);
        free(w);
        return 0;
}

static void wake(struct world *w)
{
        sweep_wake(w->sweep);
        loop_run_pending(w->loop);
}

/* The steps after the processes, when there is nothing for them to do. */
static void answer_the_rest(void)
{
        static const struct fake_cell none[] = {{"jobs", "0"}, {NULL, NULL}};
        fake_expect("orphan_list");
        fake_answer_rows(DB_OK, NULL, 0);
        fake_expect("reap_overdue");
        fake_answer(DB_OK, none);
        fake_expect(NULL);
}

static void expect_report(const char *process, const char *evidence, const char *host_dead, const char *beats)
{
        static const struct fake_cell one_job[] = {{"jobs", "1"}, {NULL, NULL}};
        fake_expect("process_gone");
        assert_string_equal(fake_pending->params[0], process);
        assert_string_equal(fake_pending->params[1], evidence);
        assert_string_equal(fake_pending->params[2], host_dead);
        if (beats == NULL)
                assert_null(fake_pending->params[3]);
        else
                assert_string_equal(fake_pending->params[3], beats);
        fake_answer(DB_OK, one_job);
}

static void test_reports_the_dead_only(void **state)
{
        struct world *w = *state;
        const struct fake_cell *const rows[] = {w->gone, w->alive, w->afar, w->gone_too};
        _cleanup_(freep) char *reused =
                xasprintf("pid %s is another process: started at tick %s, not 1", w->pid, w->start);
        fake_expect(NULL);
        wake(w);
        fake_expect("process_beats");
        fake_answer_rows(DB_OK, rows, ARRAY_SIZE(rows));
        expect_report("2", "pid 4194304 does not exist", "false", NULL);
        expect_report("3", reused, "false", NULL);
        answer_the_rest();
        loop_clock_advance(w->loop, TICK_MS); /* somebody will have been started instead */
        fake_expect("process_beats");
}

/* One look after another until something else is asked, or `ms` have passed. */
static int64_t look_for(struct world *w, const struct fake_cell *const *rows, unsigned n, int64_t ms,
                        unsigned *ret_looks)
{
        *ret_looks = 0;
        for (int64_t passed = 0; passed < ms; passed += TICK_MS) {
                loop_clock_advance(w->loop, TICK_MS);
                if (fake_pending == NULL)
                        continue;
                fake_expect("process_beats");
                fake_answer_rows(DB_OK, rows, n);
                if (strcmp(fake_pending->name, "orphan_list") != 0)
                        return passed + TICK_MS;
                answer_the_rest();
                ++*ret_looks;
        }
        return ms;
}

/* A quiet cluster is asked about at every few ticks; the processes of our host are looked at in each. */
static void test_a_look_lasts_for_some_ticks(void **state)
{
        struct world *w = *state;
        char beats[24];
        const struct fake_cell *const rows[] = {w->alive};
        unsigned looks = 0, n;
        wake(w);
        fake_answer_rows(DB_OK, rows, 1);
        answer_the_rest();
        for (int i = 0; i < 4; i++) {
                (void)snprintf(beats, sizeof(beats), "%d", i + 6);
                w->alive[6].value = beats;
                look_for(w, rows, 1, 5 * TICK_MS, &n);
                looks += n;
        }
        assert_int_equal(looks, 4);
}

/* The living worker is a child of ours, which does nothing; it ends by itself when a test fails. */
static pid_t fork_worker(struct world *w)
{
        unsigned long long ticks = 0;
        pid_t child = fork();
        if (child == 0) {
                (void)alarm(60);
                pause();
        }
        assert_int_equal(proc_start_time(child, &ticks), 0);
        (void)snprintf(w->pid, sizeof(w->pid), "%ld", (long)child);
        (void)snprintf(w->start, sizeof(w->start), "%llu", ticks);
        return child;
}

static void test_dies_between_two_looks(void **state)
{
        struct world *w = *state;
        pid_t child = fork_worker(w);
        const struct fake_cell *const rows[] = {w->alive};
        _cleanup_(freep) char *evidence = xasprintf("pid %s does not exist", w->pid);
        wake(w);
        fake_answer_rows(DB_OK, rows, 1);
        answer_the_rest();
        loop_clock_advance(w->loop, TICK_MS);
        fake_expect(NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        loop_clock_advance(w->loop, TICK_MS);
        expect_report("1", evidence, "false", NULL);
        fake_expect(NULL); /* this tick was no look */
        loop_clock_advance(w->loop, TICK_MS);
        fake_expect("process_beats");
}

/* Of another host only silence counts, and what is named is the beat that it stood at. */
static void test_silent_for_takeover_after(void **state)
{
        struct world *w = *state;
        const struct fake_cell *const rows[] = {w->afar};
        unsigned looks;
        wake(w);
        fake_answer_rows(DB_OK, rows, 1);
        answer_the_rest();
        assert_int_equal(look_for(w, rows, 1, 2 * TAKEOVER_MS, &looks), TAKEOVER_MS);
        expect_report("4", "silent for 40 s: beat 5", "true", "5");
        answer_the_rest();
}

/* While we could not ask, nobody could beat either: it is not held against them. */
static void test_an_outage_is_no_silence(void **state)
{
        struct world *w = *state;
        const struct fake_cell *const rows[] = {w->afar};
        unsigned looks;
        wake(w);
        fake_answer_rows(DB_OK, rows, 1);
        answer_the_rest();
        assert_int_equal(look_for(w, rows, 1, TAKEOVER_MS - 5 * TICK_MS, &looks), TAKEOVER_MS - 5 * TICK_MS);
        for (int i = 0; i < 20; i++) {
                loop_clock_advance(w->loop, TICK_MS);
                fake_expect("process_beats");
                fake_answer(DB_UNAVAILABLE, NULL);
        }
        loop_clock_advance(w->loop, TICK_MS);
        fake_answer_rows(DB_OK, rows, 1);
        answer_the_rest();
        assert_int_equal(look_for(w, rows, 1, 2 * TAKEOVER_MS, &looks), TAKEOVER_MS);
        fake_expect("process_gone");
}

/* A worker of ours that beats no more is killed; but after an outage, however short, it gets the whole of
 * freeze_after to find the database again: it may wait for its next attempt while we are there already. */
static void test_an_outage_makes_no_worker_hang(void **state)
{
        struct world *w = *state;
        uint64_t killed = metrics_get(METRIC_REAPED_HUNG);
        unsigned looks;
        pid_t child = fork_worker(w);
        const struct fake_cell *const rows[] = {w->alive};
        wake(w);
        fake_answer_rows(DB_OK, rows, 1);
        answer_the_rest();
        look_for(w, rows, 1, 5 * TICK_MS, &looks);
        loop_clock_advance(w->loop, 10 * TICK_MS); /* no answer for so long: less than a gap */
        wake(w);
        look_for(w, rows, 1, FREEZE_MS - TICK_MS, &looks);
        assert_int_equal(metrics_get(METRIC_REAPED_HUNG), killed);
        look_for(w, rows, 1, 2 * TICK_MS, &looks);
        assert_int_equal(waitpid(child, NULL, 0), child); /* then it hangs indeed */
}

/* An orphan without a worker on its host, seen for takeover_after. */
static void test_stranded_orphan(void **state)
{
        static const struct fake_cell orphan[] = {
                {"job_id", "9"},   {"epoch", "3"},         {"host", "elsewhere"}, {"boot_id", "boot"},
                {"stranded", "t"}, {"since_us", "123456"}, {NULL, NULL}};
        static const struct fake_cell none[] = {{"jobs", "0"}, {NULL, NULL}},
                                      lost[] = {{"lost", "t"}, {NULL, NULL}};
        struct world *w = *state;
        const struct fake_cell *const rows[] = {orphan};
        wake(w);
        for (int64_t ms = 0; ms <= TAKEOVER_MS;
             ms += TICK_MS) { /* while there are orphans every tick looks */
                fake_expect("process_beats");
                fake_answer_rows(DB_OK, NULL, 0);
                fake_expect("orphan_list");
                fake_answer_rows(DB_OK, rows, 1);
                if (ms == TAKEOVER_MS)
                        break;
                fake_expect("reap_overdue");
                fake_answer(DB_OK, none);
                loop_clock_advance(w->loop, TICK_MS);
        }
        fake_expect("orphan_stranded");
        assert_string_equal(fake_pending->params[0], "9");
        assert_string_equal(fake_pending->params[1], "3");
        assert_string_equal(fake_pending->params[2], "its host has had no worker for 40 s");
        fake_answer(DB_OK, lost);
        fake_expect("reap_overdue");
}

/* In an outage the tick ends; what the database refuses is passed over. */
static void test_failures(void **state)
{
        struct world *w = *state;
        const struct fake_cell *const rows[] = {w->gone};
        wake(w);
        fake_answer(DB_UNAVAILABLE, NULL);
        fake_expect(NULL);
        loop_clock_advance(w->loop, TICK_MS);
        fake_expect("process_beats");
        fake_answer_rows(DB_OK, rows, 1);
        fake_expect("process_gone");
        fake_answer(DB_UNKNOWN, NULL);
        fake_expect(NULL);
        loop_clock_advance(w->loop, TICK_MS);
        fake_expect("process_beats");
        fake_answer_rows(DB_OK, rows, 1);
        fake_expect("process_gone"); /* again: it is idempotent */
        fake_answer(DB_SQL_ERROR, NULL);
        answer_the_rest();
        loop_clock_advance(w->loop, TICK_MS);
        fake_expect("process_beats");
        fake_answer(DB_SQL_ERROR, NULL);
        answer_the_rest();
}

static void test_stopped(void **state)
{
        struct world *w = *state;
        wake(w);
        fake_expect("process_beats");
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
                ROW(test_a_look_lasts_for_some_ticks),
                ROW(test_dies_between_two_looks),
                ROW(test_silent_for_takeover_after),
                ROW(test_an_outage_is_no_silence),
                ROW(test_an_outage_makes_no_worker_hang),
                ROW(test_stranded_orphan),
                ROW(test_failures),
                ROW(test_stopped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
