/* Children: what they get, how they end, and what is said about it. */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"
#include "tests/unit/loop_wait.h"

static const char *const plain_env[] = {"PATH=/usr/bin:/bin", NULL};

/* The end of a child, kept beyond the callback. */
struct ended {
        bool done;
        struct proc_exit exit;
        struct strbuf out, err;
        char text[64];
};

static void on_ended(void *arg, const struct proc_exit *ex)
{
        struct ended *e = arg;
        assert_false(e->done);
        e->done = true;
        e->exit = *ex;
        e->out = e->err = (struct strbuf)STRBUF_INIT;
        if (ex->out != NULL) {
                strbuf_add(&e->out, ex->out->buf, ex->out->len);
                strbuf_add(&e->err, ex->err->buf, ex->err->len);
        }
        (void)snprintf(e->text, sizeof(e->text), "%s", proc_exit_text(ex));
}

static void ended_deinit(struct ended *e)
{
        if (e->done) {
                strbuf_deinit(&e->out);
                strbuf_deinit(&e->err);
        }
}

static long number(const struct strbuf *text)
{
        char *end;
        long n = strtol(text->buf, &end, 10);
        assert_true(end > text->buf);
        return n;
}

static int setup(void **state)
{
        struct loop *loop;
        if (loop_new(&loop) != 0)
                return -1;
        *state = loop;
        return 0;
}

static int teardown(void **state)
{
        loop_free(*state);
        return 0;
}

/* Runs `script` with sh and waits for its end. */
static void run_spec(struct loop *loop, struct proc_spec spec, const char *script, struct ended *ret)
{
        const char *const argv[] = {"sh", "-c", script, NULL};
        struct errinfo err = ERRINFO_INIT;
        struct proc *p;
        spec.argv = argv;
        if (spec.envp == NULL)
                spec.envp = plain_env;
        *ret = (struct ended){.done = false};
        int r = proc_spawn(loop, &spec, on_ended, ret, &p, &err);
        if (r != 0)
                fail_msg("spawn: %d %s", r, err.text);
        assert_false(ret->done);
        assert_true(loop_wait(loop, &ret->done));
}

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

static void test_environment_is_exact(void **state)
{
        static const char *const envp[] = {"PATH=/usr/bin:/bin", "A=1 2", NULL};
        _cleanup_(ended_deinit) struct ended e;
        assert_int_equal(setenv("LEAKED", "yes", 1), 0);
        run_spec(*state, (struct proc_spec){.envp = envp, .capture_max = 1000, .cwd = "/usr"},
                 "cat /proc/$$/environ; pwd", &e);
        for (size_t i = 0; i < e.out.len; i++)
                if (e.out.buf[i] == '\0')
                        e.out.buf[i] = '\n';
        assert_string_equal(e.out.buf, "PATH=/usr/bin:/bin\nA=1 2\n/usr\n");
}

static void test_no_descriptor_is_inherited(void **state)
{
        _cleanup_(ended_deinit) struct ended e;
        int leaks[40];
        struct proc_fd fds[2];
        for (size_t i = 0; i < ARRAY_SIZE(leaks); i++)
                leaks[i] = open("/dev/null", O_RDONLY); /* inheritable, all of them */
        int high = dup2(leaks[0], 70);                  /* one above all that the child is given */
        /* Source and target crosswise, to prove that they do not overwrite one another. */
        int one = open("/dev/zero", O_RDONLY), two = open("/dev/full", O_RDONLY);
        fds[0] = (struct proc_fd){.from = dup2(one, 50), .to = 51};
        fds[1] = (struct proc_fd){.from = dup2(two, 51), .to = 50};
        run_spec(*state, (struct proc_spec){.capture_max = 1000, .fds = fds, .n_fds = 2},
                 "for f in /proc/$$/fd/*; do test -e $f && echo ${f##*/}; done;"
                 "readlink /proc/$$/fd/0 /proc/$$/fd/50 /proc/$$/fd/51",
                 &e);
        close(50);
        close(51);
        close(one);
        close(two);
        close(high);
        for (size_t i = 0; i < ARRAY_SIZE(leaks); i++)
                close(leaks[i]);

        assert_string_equal(e.out.buf, "0\n1\n2\n50\n51\n/dev/null\n/dev/full\n/dev/zero\n");
}

static void test_signals_are_reset(void **state)
{
        _cleanup_(ended_deinit) struct ended e;
        sigset_t set, before;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
        assert_true(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
        run_spec(*state, (struct proc_spec){.capture_max = 1000}, "grep -E '^Sig(Blk|Ign)' /proc/self/status",
                 &e);
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
        assert_true(signal(SIGUSR2, SIG_DFL) != SIG_ERR);
        assert_string_equal(e.out.buf, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

static void test_session_and_group(void **state)
{
        static const char *const script = "awk '{print ($1==$5) ($1==$6)}' /proc/$$/stat";
        static const struct {
                bool session, group;
                const char *out;
        } rows[] = {
                {false, false, "00\n"}, {false, true, "10\n"}, {true, false, "11\n"}, {true, true, "11\n"}};
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(ended_deinit) struct ended e;
                run_spec(*state,
                         (struct proc_spec){.capture_max = 100,
                                            .new_session = rows[i].session,
                                            .new_group = rows[i].group},
                         script, &e);
                assert_string_equal(e.out.buf, rows[i].out);
        }
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

static void test_identity(void **state)
{
        unsigned long long mine = 0, again = 0, other;
        (void)state;
        assert_int_equal(proc_start_time(getpid(), &mine), 0);
        assert_int_equal(proc_start_time(getpid(), &again), 0);
        assert_true(mine > 0 && mine == again);
        assert_int_equal(proc_start_time(0x7ffffff0, &other), -ENOENT);
        assert_int_equal(strlen(proc_boot_id()), 36);
        assert_int_equal(proc_boot_id()[8], '-');
}

/* Ended but not waited for: dead to everybody who asks. */
static void test_a_zombie_is_gone(void **state)
{
        unsigned long long start = 0;
        siginfo_t info;
        (void)state;
        pid_t pid = fork();
        if (pid == 0)
                _exit(0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        assert_int_equal(proc_start_time(pid, &start), -ENOENT);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A program may be called anything: the field is counted from the last parenthesis. */
static void test_start_time_of_a_strange_name(void **state)
{
        char dir[] = "/tmp/orch-proc-XXXXXX";
        struct errinfo err = ERRINFO_INIT;
        struct ended e = {.done = false};
        struct proc *p;
        unsigned long long start = 0, mine = 0;
        assert_non_null(mkdtemp(dir));
        _cleanup_(freep) char *path = xasprintf("%s/a) R 1 2 3", dir);
        assert_int_equal(symlink("/bin/sleep", path), 0);
        const char *const argv[] = {path, "100", NULL};
        const struct proc_spec spec = {.argv = argv, .envp = plain_env};
        assert_int_equal(proc_spawn(*state, &spec, on_ended, &e, &p, &err), 0);
        assert_int_equal(proc_start_time(proc_pid(p), &start), 0);
        assert_int_equal(proc_start_time(getpid(), &mine), 0);
        assert_true(start >= mine);
        assert_int_equal(proc_kill(p, SIGKILL, false), 0);
        assert_true(loop_wait(*state, &e.done));
        unlink(path);
        rmdir(dir);
}

int main(void)
{
#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                WITH_LOOP(test_how_they_end),
                WITH_LOOP(test_start_failures),
                WITH_LOOP(test_capture_and_input),
                WITH_LOOP(test_large_input_is_fed_whole),
                WITH_LOOP(test_capture_is_bounded),
                WITH_LOOP(test_output_held_open),
                WITH_LOOP(test_environment_is_exact),
                WITH_LOOP(test_no_descriptor_is_inherited),
                WITH_LOOP(test_signals_are_reset),
                WITH_LOOP(test_session_and_group),
                WITH_LOOP(test_kill_group),
                WITH_LOOP(test_kill_one),
                WITH_LOOP(test_forgotten),
                WITH_LOOP(test_works_when_sigchld_is_ignored),
                WITH_LOOP(test_identity),
                WITH_LOOP(test_a_zombie_is_gone),
                WITH_LOOP(test_start_time_of_a_strange_name),
        };
        return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
