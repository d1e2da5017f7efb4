/* test_leftovers.c - which run folders are removed at a start, and what of them stays. */
#include "workerd/leftovers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"
#include "tests/unit/fake_db.h"
#include "tests/unit/tmp_dir.h"
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

static int setup(void **state)
{
        (void)state;
        state_dir = tmp_dir_make();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        tmp_dir_remove(take_ptr(state_dir));
        return 0;
}

struct look {
        struct loop *loop;
        struct leftovers *leftovers;
};

static void look_begin(struct look *look)
{
        assert_int_equal(loop_new(&look->loop), 0);
        look->leftovers = leftovers_new(look->loop, NULL, state_dir);
        leftovers_wake(look->leftovers, 60000);
}

static void look_run(struct look *look)
{
        while (loop_run_pending(look->loop))
                continue;
}

static void look_end(struct look *look)
{
        look_run(look);
        leftovers_free(look->leftovers);
        loop_free(look->loop);
}

/* The one folder that is asked about is this job's, and its claim is over. */
static void answer_over(const char *job)
{
        const struct fake_cell row[] = {{"job_id", job}, {"epoch", "1"}, {NULL, NULL}};
        _cleanup_(freep) char *asked = xasprintf("{%s}", job);
        fake_expect("runs_over");
        assert_string_equal(fake_pending->params[0], asked);
        assert_string_equal(fake_pending->params[1], "{1}");
        fake_answer(DB_OK, row);
}

static void check(const struct run_dir *dir, bool removed, bool has_owner)
{
        assert_int_equal(exists(dir->path, "home"), !removed);
        assert_int_equal(exists(dir->path, "index"), !removed);
        assert_int_equal(exists(dir->path, "owner"), !removed && has_owner);
        assert_true(exists(dir->path, "log"));
}

static void test_only_those_of_the_dead(void **state)
{
        unsigned long long start = 0;
        (void)state;
        assert_int_equal(proc_start_time(getpid(), &start), 0);
        _cleanup_(freep) char *gone = xasprintf("4194304 1 %s\n", proc_boot_id());
        _cleanup_(freep) char *reused = xasprintf("%ld %llu %s\n", (long)getpid(), start + 1, proc_boot_id());
        _cleanup_(freep) char *reboot =
                xasprintf("%ld %llu 00000000-0000-0000-0000-00000000000f\n", (long)getpid(), start);
        _cleanup_(freep) char *ours = xasprintf("%ld %llu %s\n", (long)getpid(), start, proc_boot_id());
        const struct {
                const char *owner;
                bool dead;
        } rows[] = {{gone, true},  {reused, true},      {reboot, true},
                    {NULL, false}, {"nonsense", false}, {ours, false}};

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct run_dir dir;
                struct look look;
                make_run(&dir, 1, rows[i].owner);
                look_begin(&look);
                if (rows[i].dead)
                        answer_over("1");
                fake_expect(NULL);
                look_end(&look);
                check(&dir, rows[i].dead, rows[i].owner != NULL);
                run_dir_deinit(&dir);
                teardown(NULL);
                setup(NULL);
        }
}

/* J-8: what is not over is an heir's. */
static void test_what_the_database_says(void **state)
{
        static const enum db_outcome outcomes[] = {DB_OK, DB_UNAVAILABLE, DB_SQL_ERROR, DB_UNKNOWN};
        struct run_dir dir;
        (void)state;
        _cleanup_(freep) char *gone = xasprintf("4194304 1 %s\n", proc_boot_id());
        make_run(&dir, 7, gone);
        for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
                struct look look;
                look_begin(&look);
                fake_expect("runs_over");
                fake_answer(outcomes[i], NULL); /* no row: it runs */
                look_end(&look);
                check(&dir, false, true);
        }
        run_dir_deinit(&dir);
}

static void test_looks_again_after_the_interval(void **state)
{
        struct run_dir dir;
        struct look look;
        (void)state;
        _cleanup_(freep) char *gone = xasprintf("4194304 1 %s\n", proc_boot_id());
        make_run(&dir, 7, gone);
        look_begin(&look);
        loop_clock_freeze(look.loop);
        fake_expect("runs_over");
        leftovers_wake(look.leftovers, 0); /* is at it */
        fake_answer(DB_OK, NULL);
        leftovers_wake(look.leftovers, 60000);
        fake_expect(NULL);
        loop_clock_advance(look.loop, 60001);
        leftovers_wake(look.leftovers, 60000);
        fake_expect("runs_over");
        look_end(&look);
        run_dir_deinit(&dir);
}

/* The test plays the shim: it listens, hears "kill", and goes. */
static int listen_in(const struct run_dir *dir)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", dir->path) <
                    (int)sizeof(sa.sun_path));
        assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
        assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static void test_a_live_shim_is_killed_first(void **state)
{
        struct run_dir dir;
        struct look look;
        char heard[16] = "";
        (void)state;
        _cleanup_(freep) char *gone = xasprintf("4194304 1 %s\n", proc_boot_id());
        make_run(&dir, 7, gone);
        _cleanup_(closep) int listener = listen_in(&dir);
        look_begin(&look);
        answer_over("7");
        look_run(&look);
        int shim = accept(listener, NULL, NULL);
        assert_int_equal(send(shim, "hello running 12\n", 17, 0), 17);
        look_run(&look);
        assert_int_equal(recv(shim, heard, sizeof(heard) - 1, 0), 5);
        assert_string_equal(heard, "kill\n");
        check(&dir, false, true);
        assert_int_equal(close(shim), 0);
        look_end(&look);
        check(&dir, true, true);
        run_dir_deinit(&dir);
}

static void sweep(void)
{
        struct look look;
        look_begin(&look);
        fake_expect(NULL);
        look_end(&look);
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

int main(void)
{
#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                ROW(test_only_those_of_the_dead),         ROW(test_what_the_database_says),
                ROW(test_looks_again_after_the_interval), ROW(test_a_live_shim_is_killed_first),
                ROW(test_foreign_names_are_left_alone),   ROW(test_no_runs_at_all),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
