/* Children: whether they start, how they end, what they say, and how they are killed. */
#include "tests/unit/proc_fixture.h"

static void test_how_they_end(void **state)
{
        static const struct {
                const char *script;
                bool signaled;
                int code, signo;
                const char *text;
        } rows[] = {
                {"exit 0", false, 0, 0, "exited with 0"},
                {"exit 3", false, 3, 0, "exited with 3"},
                {"exit 255", false, 255, 0, "exited with 255"},
                {"kill -KILL $$", true, 0, SIGKILL, "killed by SIGKILL"},
                {"kill -TERM $$", true, 0, SIGTERM, "killed by SIGTERM"},
                {"ulimit -c 0; kill -ABRT $$", true, 0, SIGABRT, "killed by SIGABRT"},
                {"kill -40 $$", true, 0, 40, "killed by signal 40"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(ended_deinit) struct ended e;
                run_spec(*state, (struct proc_spec){.new_group = true}, rows[i].script, &e);
                assert_int_equal(e.exit.signaled, rows[i].signaled);
                assert_int_equal(e.exit.code, rows[i].code);
                assert_int_equal(e.exit.signo, rows[i].signo);
                assert_string_equal(e.text, rows[i].text);
                assert_null(e.exit.out);
        }
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none is left, zombies neither */
        assert_int_equal(errno, ECHILD);
}

static void test_start_failures(void **state)
{
        static const struct {
                const char *program, *path, *cwd;
                int r;
                const char *says;
        } rows[] = {
                {"/no/such/program", NULL, NULL, -ENOENT, "cannot run /no/such/program: No such file"},
                {"no-such-program", "PATH=/usr/bin:/bin", NULL, -ENOENT,
                 "not found in PATH \"/usr/bin:/bin\""},
                {"sh", NULL, NULL, -ENOENT, "not found in PATH \"\""},
                {"sh", "PATH=::bin:./bin:usr/bin", "/", -ENOENT,
                 "not found in PATH"}, /* relative folders do not count */
                {"", "PATH=/bin", NULL, -ENOENT, "not found"},
                {"passwd", "PATH=/etc", NULL, -EACCES, "not executable"},
                {"/etc/passwd", NULL, NULL, -EACCES, "Permission denied"},
                {"/bin", NULL, NULL, -EACCES, "Permission denied"},
                {"/bin/sh", NULL, "/no/such/folder", -ENOENT, "cannot enter /no/such/folder"},
        };
        assert_int_equal(chdir("/"), 0); /* where bin/sh is to be found, if one looked */
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *const argv[] = {rows[i].program, NULL};
                const char *const envp[] = {rows[i].path, NULL};
                struct errinfo err = ERRINFO_INIT;
                struct proc *p = NULL;
                const struct proc_spec spec = {.argv = argv,
                                               .envp = envp,
                                               .cwd = rows[i].cwd,
                                               .capture_max = 10,
                                               .input = "x",
                                               .input_len = 1};
                int r = proc_spawn(*state, &spec, on_ended, NULL, &p, &err);
                if (r != rows[i].r || strstr(err.text, rows[i].says) == NULL)
                        fail_msg("row %zu: %d \"%s\"", i, r, err.text);
                assert_null(p);
                assert_false(loop_run_pending(*state));
        }
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_capture_and_input(void **state)
{
        _cleanup_(ended_deinit) struct ended e;
        struct proc_spec spec = {.capture_max = 1000, .input = "one\ntwo\n", .input_len = 8};
        run_spec(*state, spec, "cat; echo oops >&2", &e);
        assert_string_equal(e.out.buf, "one\ntwo\n");
        assert_string_equal(e.err.buf, "oops\n");
        assert_false(e.exit.truncated);
}

static void test_large_input_is_fed_whole(void **state)
{
        _cleanup_(ended_deinit) struct ended e;
        size_t len = 1 << 20;
        _cleanup_(freep) char *input = xmalloc(len);
        memset(input, 'x', len);
        run_spec(*state, (struct proc_spec){.capture_max = 100, .input = input, .input_len = len}, "wc -c",
                 &e);
        assert_int_equal(number(&e.out), len);

        /* A child that reads nothing of it is no fault of ours. */
        _cleanup_(ended_deinit) struct ended deaf;
        run_spec(*state, (struct proc_spec){.input = input, .input_len = len}, "exec <&-; exit 4", &deaf);
        assert_int_equal(deaf.exit.code, 4);

        _cleanup_(ended_deinit) struct ended none;
        run_spec(*state, (struct proc_spec){.capture_max = 100, .input = "", .input_len = 0}, "wc -c", &none);
        assert_int_equal(number(&none.out), 0);
}

static void test_capture_is_bounded(void **state)
{
        static const struct {
                size_t max;
                bool truncated;
                size_t kept;
        } rows[] = {{99999, true, 99999}, {100000, false, 100000}, {100001, false, 100000}, {1, true, 1}};
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(ended_deinit) struct ended e;
                run_spec(*state, (struct proc_spec){.capture_max = rows[i].max},
                         "head -c 100000 /dev/zero; exit 6", &e);
                assert_int_equal(e.exit.code, 6); /* what is beyond was drained: no SIGPIPE */
                assert_int_equal(e.out.len, rows[i].kept);
                assert_int_equal(e.exit.truncated, rows[i].truncated);
        }
}

/* A grandchild that keeps the output open must not keep the callback from coming. */
static void test_output_held_open(void **state)
{
        _cleanup_(ended_deinit) struct ended e;
        struct loop *loop = *state;
        int64_t start = loop_now_ms(loop);
        run_spec(loop, (struct proc_spec){.capture_max = 100}, "sleep 8 & echo $! # lasts until it is killed",
                 &e);
        assert_true(e.exit.truncated);
        assert_true(loop_now_ms(loop) - start < 7000);
        pid_t holder = (pid_t)number(&e.out);
        assert_true(holder > 1);
        kill(holder, SIGKILL);
}

/* Kills a whole group; standard output ends only when the last process that holds it is gone. */
static void test_kill_group(void **state)
{
        static const char *const argv[] = {
                "sh", "-c", "sleep 100 & sleep 100 & echo up >&3; wait # lasts until it is killed", NULL};
        struct loop *loop = *state;
        _cleanup_(ended_deinit) struct ended e = {.done = false};
        struct errinfo err = ERRINFO_INIT;
        struct proc *p;
        int ready[2];
        char word[3];
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        const struct proc_fd fd = {.from = ready[1], .to = 3};
        const struct proc_spec spec = {.argv = argv,
                                       .envp = plain_env,
                                       .new_group = true,
                                       .capture_max = 10,
                                       .fds = &fd,
                                       .n_fds = 1};
        assert_int_equal(proc_spawn(loop, &spec, on_ended, &e, &p, &err), 0);
        close(ready[1]);
        assert_int_equal(read(ready[0], word, 3), 3);
        int64_t start = loop_now_ms(loop);
        assert_int_equal(proc_kill(p, SIGTERM, true), 0);
        assert_true(loop_wait(loop, &e.done));
        assert_int_equal(e.exit.signo, SIGTERM);
        assert_false(e.exit.truncated);
        assert_true(loop_now_ms(loop) - start < PROC_OUTPUT_GRACE_MS);
        assert_int_equal(read(ready[0], word, 1), 0); /* nobody holds the other end any more */
        close(ready[0]);
}

static void test_kill_one(void **state)
{
        static const char *const argv[] = {"sleep", "100", NULL};
        _cleanup_(ended_deinit) struct ended e = {.done = false};
        struct errinfo err = ERRINFO_INIT;
        struct proc *p;
        const struct proc_spec spec = {.argv = argv, .envp = plain_env};
        assert_int_equal(proc_spawn(*state, &spec, on_ended, &e, &p, &err), 0);
        assert_int_equal(proc_kill(p, 0, false), 0);
        assert_int_equal(proc_kill(p, SIGKILL, false), 0);
        siginfo_t si;
        assert_int_equal(waitid(P_PID, (id_t)proc_pid(p), &si, WEXITED | WNOWAIT), 0);
        assert_int_equal(proc_kill(p, SIGTERM, false), 0); /* gone already: no error */
        assert_true(loop_wait(*state, &e.done));
        assert_string_equal(e.text, "killed by SIGKILL");
}

static bool is_child(pid_t pid)
{
        return waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT | WNOHANG) == 0;
}

static void test_forgotten(void **state)
{
        static const char *const brief[] = {"true", NULL}, *const lasting[] = {"sleep", "100", NULL};
        struct ended e = {.done = false};
        struct errinfo err = ERRINFO_INIT;
        struct proc *p;
        struct proc_spec spec = {.argv = brief, .envp = plain_env};
        assert_int_equal(proc_spawn(*state, &spec, on_ended, &e, &p, &err), 0);
        pid_t pid = proc_pid(p);
        proc_forget(p);
        while (is_child(pid))
                assert_int_equal(event_base_loop(loop_base(*state), EVLOOP_ONCE), 0);
        assert_false(e.done); /* reaped all the same, and nothing was said */

        /* One that still runs when the loop goes (in teardown) is left alone. */
        spec.argv = lasting;
        assert_int_equal(proc_spawn(*state, &spec, on_ended, &e, &p, &err), 0);
        pid = proc_pid(p);
        proc_forget(p);
        loop_free(*state);
        *state = NULL;
        assert_int_equal(kill(pid, 0), 0);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_false(e.done);
}

static void test_works_when_sigchld_is_ignored(void **state)
{
        _cleanup_(ended_deinit) struct ended e;
        assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        run_spec(*state, (struct proc_spec){.argv = NULL}, "exit 9", &e);
        assert_int_equal(e.exit.code, 9);
}

int main(void)
{
#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                WITH_LOOP(test_how_they_end),       WITH_LOOP(test_start_failures),
                WITH_LOOP(test_capture_and_input),  WITH_LOOP(test_large_input_is_fed_whole),
                WITH_LOOP(test_capture_is_bounded), WITH_LOOP(test_output_held_open),
                WITH_LOOP(test_kill_group),         WITH_LOOP(test_kill_one),
                WITH_LOOP(test_forgotten),          WITH_LOOP(test_works_when_sigchld_is_ignored),
        };
        return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
