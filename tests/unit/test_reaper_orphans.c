/* test_reaper_orphans.c - which orphans of its host the reaper gives back, and what must be proved before. */
#include "reaperd/sweep.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/process_row.h"
#include "common/run_dir.h"
#include "tests/unit/fake_db.h"
#include "tests/unit/reaper_alone.h"

#define TICK_MS  INT64_C(1000)
#define APART_MS INT64_C(5000)

struct world {
        struct loop *loop;
        struct options *opt;
        struct sweep *sweep;
        char dir[32];
        struct run_dir run; /* of job 9, epoch 3 */
        struct fake_cell orphan[7];
};

static bool row_live = true;

bool process_row_live(const struct process_row *row)
{
        (void)row;
        return row_live;
}

int64_t process_row_id(const struct process_row *row)
{
        (void)row;
        return 71;
}

int64_t process_row_epoch(const struct process_row *row)
{
        (void)row;
        return 72;
}

static void put(const char *path, const char *text)
{
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* What orch-shim --clean is played by: it says how it was called. */
static void set_cleaner(const struct world *w, int code)
{
        _cleanup_(freep) char *path = xasprintf("%s/orch-shim", w->dir);
        _cleanup_(freep) char *text =
                xasprintf("#!/bin/sh\necho \"$*\" >>%s/called\nexit %d\n", w->dir, code);
        put(path, text);
        assert_int_equal(chmod(path, 0700), 0);
}

static bool cleaner_was_called(const struct world *w)
{
        _cleanup_(freep) char *path = xasprintf("%s/called", w->dir);
        return access(path, F_OK) == 0;
}

static int setup(void **state)
{
        struct world *w = xcalloc(1, sizeof(*w));
        struct errinfo err = ERRINFO_INIT;
        (void)snprintf(w->dir, sizeof(w->dir), "/tmp/orch-reap-XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        assert_int_equal(loop_new(&w->loop), 0);
        loop_clock_freeze(w->loop);
        _cleanup_(freep) char *config = xasprintf("%s/config", w->dir);
        _cleanup_(freep) char *text =
                xasprintf("state_dir = %s\nbin_dir = %s\nreaper_interval = 1s\n", w->dir, w->dir);
        put(config, text);
        assert_int_equal(options_load_file(config, &w->opt, &err), OPTIONS_OK);
        run_dir_names(&w->run, w->dir, 9, 3);
        assert_int_equal(run_dir_create(&w->run, &err), 0);
        put(w->run.lock, w->run.path);
        set_cleaner(w, 0);
        const struct fake_cell orphan[7] = {
                {"job_id", "9"},   {"epoch", "3"},      {"host", "h"}, {"boot_id", proc_boot_id()},
                {"stranded", "f"}, {"since_us", "100"}, {NULL, NULL}};
        memcpy(w->orphan, orphan, sizeof(orphan));
        row_live = true;
        const struct sweep_config cfg = {.loop = w->loop, .host = "h", .opt = w->opt};
        assert_int_equal(sweep_new(&cfg, &w->sweep), 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;
        _cleanup_(freep) char *remove = xasprintf("rm -r %s", w->dir);
        sweep_free(w->sweep);
        options_free(w->opt);
        run_dir_deinit(&w->run);
        loop_free(w->loop);
        assert_int_equal(system(remove), 0); // NOLINT(cert-env33-c): a path of our own
        free(w);
        return 0;
}

/* One tick whose list of orphans is ours, up to what follows from it. */
static void look(struct world *w)
{
        const struct fake_cell *const rows[] = {w->orphan};
        sweep_wake(w->sweep);
        loop_run_pending(w->loop);
        fake_expect("process_beats");
        fake_answer_rows(DB_OK, NULL, 0);
        fake_expect("orphan_list");
        fake_answer_rows(DB_OK, rows, 1);
}

/* The tick did nothing about orphans. */
static void end_of_look(void)
{
        static const struct fake_cell none[] = {{"jobs", "0"}, {NULL, NULL}};
        fake_expect("reap_overdue");
        fake_answer(DB_OK, none);
}

/* Until the cleaner has ended and something was asked because of it. */
static void wait_for_question(struct world *w)
{
        while (fake_pending == NULL)
                assert_true(event_base_loop(loop_base(w->loop), EVLOOP_ONCE) >= 0);
}

/* Two looks, far enough apart. */
static void look_twice(struct world *w)
{
        look(w);
        end_of_look();
        for (int64_t ms = TICK_MS; ms <= APART_MS; ms += TICK_MS) {
                loop_clock_advance(w->loop, TICK_MS);
                look(w);
                if (ms < APART_MS)
                        end_of_look();
        }
}

static void test_unkept_is_given_back(void **state)
{
        static const struct fake_cell lost[] = {{"lost", "t"}, {NULL, NULL}};
        static const char *const params[] = {"71", "72", "9", "3", "its lock is free and there is no status"};
        struct world *w = *state;
        look_twice(w);
        wait_for_question(w);
        assert_true(cleaner_was_called(w));
        fake_expect("orphan_lost");
        for (size_t i = 0; i < ARRAY_SIZE(params); i++)
                assert_string_equal(fake_pending->params[i], params[i]);
        fake_answer(DB_OK, lost);
        end_of_look();
}

static void test_what_cannot_be_cleaned_stays(void **state)
{
        struct world *w = *state;
        set_cleaner(w, 75);
        look_twice(w);
        wait_for_question(w);
        assert_true(cleaner_was_called(w));
        end_of_look();
}

/* While it was being cleaned up, a status came after all. */
static void test_a_late_status_counts(void **state)
{
        struct world *w = *state;
        _cleanup_(freep) char *path = xasprintf("%s/orch-shim", w->dir);
        _cleanup_(freep) char *text = xasprintf("#!/bin/sh\n>%s\n", w->run.status);
        put(path, text);
        look_twice(w);
        wait_for_question(w);
        end_of_look();
}

/* What somebody may still finish is left alone, however often we look. */
static void test_left_alone(void **state)
{
        struct world *w = *state;
        enum { STATUS, LOCK, HOST, BOOT, ROW, KINDS };
        for (int kind = 0; kind < KINDS; kind++) {
                int fd = -1;
                if (kind == STATUS)
                        put(w->run.status, "outcome=exited\n");
                if (kind == LOCK) {
                        fd = open(w->run.lock, O_RDWR | O_CLOEXEC);
                        assert_int_equal(flock(fd, LOCK_EX), 0);
                }
                w->orphan[2].value = kind == HOST ? "elsewhere" : "h";
                w->orphan[3].value = kind == BOOT ? "an earlier one" : proc_boot_id();
                row_live = kind != ROW;
                look_twice(w);
                end_of_look();
                assert_false(cleaner_was_called(w));
                if (kind == STATUS)
                        assert_int_equal(unlink(w->run.status), 0);
                closep(&fd);
        }
}

/* A new epoch, or a lock that was held in between, is a run of its own: the looks begin anew. */
static void test_looks_begin_anew(void **state)
{
        struct world *w = *state;
        for (int i = 0; i < 10; i++) {
                w->orphan[1].value = i % 2 == 0 ? "3" : "4";
                look(w);
                end_of_look();
                loop_clock_advance(w->loop, TICK_MS);
        }
        assert_false(cleaner_was_called(w));
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                ROW(test_unkept_is_given_back), ROW(test_what_cannot_be_cleaned_stays),
                ROW(test_a_late_status_counts), ROW(test_left_alone),
                ROW(test_looks_begin_anew),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
