/* test_leftovers.c - which run folders are removed at a start, and what of them stays. */
#include "workerd/leftovers.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"
#include "tests/unit/cm.h"
#include "common/run_dir.h"

static char *state_dir;

static bool exists(const char *folder, const char *name)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", folder, name);
        return access(path, F_OK) == 0;
}

static void put(const char *folder, const char *name, const char *text)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", folder, name);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* A run folder as a workerd leaves it; `owner` NULL: none. */
static void make_run(struct run_dir *dir, int64_t job, const char *owner)
{
        struct errinfo err = ERRINFO_INIT;
        run_dir_names(dir, state_dir, job, 1);
        assert_int_equal(run_dir_create(dir, &err), 0);
        put(dir->home, "file", "x");
        put(dir->path, "log", "said\n");
        put(dir->path, "index", "x");
        if (owner != NULL)
                put(dir->path, "owner", owner);
}

static void sweep(void)
{
        struct loop *loop = NULL;
        assert_int_equal(loop_new(&loop), 0);
        struct leftovers *l = leftovers_sweep(loop, state_dir);
        while (loop_run_pending(loop))
                continue;
        leftovers_free(l);
        loop_free(loop);
}

static void test_only_those_of_the_dead(void **state)
{
        unsigned long long start = 0;
        struct run_dir dirs[7];
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        assert_int_equal(proc_start_time(getpid(), &start), 0);
        _cleanup_(freep) char *gone = xasprintf("4194304 1 %s\n", proc_boot_id());
        _cleanup_(freep) char *reused = xasprintf("%ld %llu %s\n", (long)getpid(), start + 1, proc_boot_id());
        _cleanup_(freep) char *reboot =
                xasprintf("%ld %llu 00000000-0000-0000-0000-00000000000f\n", (long)getpid(), start);
        const struct {
                const char *owner;
                bool removed;
        } rows[] = {{gone, true},  {reused, true},      {reboot, true},
                    {NULL, false}, {"nonsense", false}, {gone, false}};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                make_run(&dirs[i], (int64_t)i + 1, rows[i].owner);
        make_run(&dirs[6], 7, NULL);
        assert_int_equal(leftovers_mark(&dirs[6], &err), 0); /* ours */
        /* the last of the table: its shim still holds the job's lock */
        _cleanup_(closep) int lock = open(dirs[5].lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(flock(lock, LOCK_EX), 0);
        sweep();
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(exists(dirs[i].path, "home"), !rows[i].removed);
                assert_int_equal(exists(dirs[i].path, "index"), !rows[i].removed);
                assert_int_equal(exists(dirs[i].path, "owner"), !rows[i].removed && rows[i].owner != NULL);
                assert_true(exists(dirs[i].path, "log"));
        }
        assert_true(exists(dirs[6].path, "home"));
        leftovers_unmark(&dirs[6]);
        assert_false(exists(dirs[6].path, "owner"));
        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
                run_dir_deinit(&dirs[i]);
}

/* The shim of a worker that has just died still stops its agent when the next worker starts. */
static void test_looks_again_while_a_shim_is_at_work(void **state)
{
        struct run_dir dir;
        struct loop *loop = NULL;
        (void)state;
        _cleanup_(freep) char *gone = xasprintf("4194304 1 %s\n", proc_boot_id());
        make_run(&dir, 1, gone);
        _cleanup_(closep) int lock = open(dir.lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        assert_int_equal(flock(lock, LOCK_EX), 0);
        assert_int_equal(loop_new(&loop), 0);
        loop_clock_freeze(loop);
        struct leftovers *l = leftovers_sweep(loop, state_dir);
        loop_clock_advance(loop, 0);
        while (loop_run_pending(loop))
                continue;
        assert_true(exists(dir.path, "home"));
        assert_int_equal(flock(lock, LOCK_UN), 0);
        loop_clock_advance(loop, 2000);
        while (loop_run_pending(loop))
                continue;
        assert_false(exists(dir.path, "home"));
        leftovers_free(l);
        loop_free(loop);
        run_dir_deinit(&dir);
}

static void test_foreign_names_are_left_alone(void **state)
{
        static const char *const names[] = {"1-", "-1", "a-b", "1-1x", " 1-1", "1", "notes"};
        (void)state;
        _cleanup_(freep) char *runs = xasprintf("%s/runs", state_dir);
        assert_int_equal(mkdir(runs, 0700), 0);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_(freep) char *path = xasprintf("%s/runs/%s", state_dir, names[i]);
                _cleanup_(freep) char *owner = xasprintf("4194304 1 %s\n", proc_boot_id());
                _cleanup_(freep) char *home = xasprintf("%s/home", path);
                assert_int_equal(mkdir(path, 0700), 0);
                assert_int_equal(mkdir(home, 0700), 0);
                put(path, "owner", owner);
        }
        sweep();
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_(freep) char *path = xasprintf("%s/runs/%s", state_dir, names[i]);
                assert_true(exists(path, "home"));
        }
}

static void test_no_runs_at_all(void **state)
{
        (void)state;
        sweep();
}

static int setup(void **state)
{
        char dir[] = "/tmp/orch-leftovers-XXXXXX";
        (void)state;
        assert_non_null(mkdtemp(dir));
        state_dir = xstrdup(dir);
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static int teardown(void **state)
{
        (void)state;
        assert_int_equal(nftw(state_dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
        free(take_ptr(state_dir));
        return 0;
}

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                ROW(test_only_those_of_the_dead),
                ROW(test_looks_again_while_a_shim_is_at_work),
                ROW(test_foreign_names_are_left_alone),
                ROW(test_no_runs_at_all),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
