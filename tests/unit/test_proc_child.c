/* Children: exactly what they are given, and what tells one process from another. */
#include "tests/unit/proc_fixture.h"

#include <poll.h>

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

static void test_signals_that_it_is_to_have_blocked(void **state)
{
        _cleanup_(ended_deinit) struct ended e;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        run_spec(*state, (struct proc_spec){.capture_max = 1000, .blocked = &set},
                 "exec grep ^SigBlk /proc/self/status", &e);
        assert_string_equal(e.out.buf, "SigBlk:\t0000000000004000\n");
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

/* A pid that was given to another process does not get the signal (T-2). */
static void test_only_the_known_process_is_signalled(void **state)
{
        struct errinfo err = ERRINFO_INIT;
        struct ended e = {.done = false};
        struct proc *p;
        unsigned long long start = 0;
        const char *const argv[] = {"/bin/sleep", "100", NULL};
        const struct proc_spec spec = {.argv = argv, .envp = plain_env};
        assert_int_equal(proc_spawn(*state, &spec, on_ended, &e, &p, &err), 0);
        assert_int_equal(proc_start_time(proc_pid(p), &start), 0);
        assert_int_equal(proc_signal_known(proc_pid(p), start - 1, SIGKILL), -ENOENT);
        assert_int_equal(proc_signal_known(0x7ffffff0, start, SIGKILL), -ENOENT);
        assert_int_equal(proc_start_time(proc_pid(p), &start), 0);
        assert_int_equal(proc_signal_known(proc_pid(p), start, SIGKILL), 0);
        assert_true(loop_wait(*state, &e.done));
        assert_true(e.exit.signaled && e.exit.signo == SIGKILL);
        ended_deinit(&e);
}

static bool read_pid(const char *dir, const char *name, pid_t *ret)
{
        _cleanup_(freep) char *path = xasprintf("%s/%s", dir, name);
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        if (strbuf_read_file(&text, path, 32) < 0 || memchr(text.buf, '\n', text.len) == NULL)
                return false;
        *ret = (pid_t)strtol(text.buf, NULL, 10);
        (void)unlink(path);
        return true;
}

static bool is_gone(pid_t pid)
{
        unsigned long long start = 0;
        return proc_start_time(pid, &start) == -ENOENT;
}

static bool wait_gone(pid_t pid)
{
        for (int i = 0; i < 1000 && !is_gone(pid); i++)
                (void)poll(NULL, 0, 10);
        return is_gone(pid);
}

/* A stopped parent: its child, which leads a group, and that group go; the parent, and who is not below it,
 * stay. */
static void test_the_children_of_a_stopped_process(void **state)
{
        char dir[] = "/tmp/orch-proc-XXXXXX";
        struct errinfo err = ERRINFO_INIT;
        struct ended parent = {.done = false}, other = {.done = false};
        struct proc *p, *q;
        pid_t leader = 0, member = 0;
        assert_non_null(mkdtemp(dir));
        const char *const sleeper[] = {"/bin/sleep", "100", NULL};
        const char *const argv[] = {
                "/bin/sh", "-c",
                "setsid sh -c 'sh -c \"echo \\$\\$ >member; exec tail -f /dev/null\" & echo $$ "
                ">leader; exec tail -f /dev/null' & wait",
                NULL};
        const struct proc_spec spec = {.argv = argv, .envp = plain_env, .cwd = dir};
        const struct proc_spec bystander = {.argv = sleeper, .envp = plain_env};
        assert_int_equal(proc_spawn(*state, &spec, on_ended, &parent, &p, &err), 0);
        assert_int_equal(proc_spawn(*state, &bystander, on_ended, &other, &q, &err), 0);
        while (leader == 0 || member == 0) {
                (void)(leader == 0 && read_pid(dir, "leader", &leader));
                (void)(member == 0 && read_pid(dir, "member", &member));
                (void)poll(NULL, 0, 10);
        }
        assert_int_equal(proc_kill(p, SIGSTOP, false), 0);
        assert_int_equal(proc_kill_children(proc_pid(p)), 0);
        assert_true(wait_gone(leader));
        assert_true(wait_gone(member));
        assert_false(is_gone(proc_pid(p)));
        assert_false(is_gone(proc_pid(q)));
        assert_int_equal(proc_kill(p, SIGKILL, false), 0);
        assert_int_equal(proc_kill(q, SIGKILL, false), 0);
        assert_true(loop_wait(*state, &parent.done) && loop_wait(*state, &other.done));
        rmdir(dir);
        ended_deinit(&parent);
        ended_deinit(&other);
}

static void test_path_of_a_program(void **state)
{
        (void)state;
        _cleanup_(freep) char *configured = proc_program_path("/opt/orch", "orch-shim");
        _cleanup_(freep) char *beside = proc_program_path("", "test_proc_child");
        assert_string_equal(configured, "/opt/orch/orch-shim");
        assert_int_equal(access(beside, X_OK), 0);
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
                WITH_LOOP(test_environment_is_exact), WITH_LOOP(test_no_descriptor_is_inherited),
                WITH_LOOP(test_signals_are_reset),    WITH_LOOP(test_signals_that_it_is_to_have_blocked),
                WITH_LOOP(test_session_and_group),    WITH_LOOP(test_identity),
                WITH_LOOP(test_a_zombie_is_gone),     WITH_LOOP(test_only_the_known_process_is_signalled),
                WITH_LOOP(test_a_zombie_is_gone),     WITH_LOOP(test_the_children_of_a_stopped_process),
                WITH_LOOP(test_path_of_a_program),    WITH_LOOP(test_start_time_of_a_strange_name),
        };
        return cmocka_run_group_tests_name("proc_child", tests, NULL, NULL);
}
