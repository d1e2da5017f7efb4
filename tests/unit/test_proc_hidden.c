/* test_proc_hidden.c - a process that /proc does not show (hidepid=2, ProtectProc=) is not taken for dead.
 * Its own program, as it gives up its user and its mounts. */
#include "tests/unit/cm.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proc.h"

#define NOBODY 65534

/* In a /proc that hides what we may not trace, as a user who is not root. */
static bool hide(void)
{
        return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
               mount("proc", "/proc", "proc", 0, "hidepid=2") == 0 && setgid(NOBODY) == 0 &&
               setuid(NOBODY) == 0;
}

static pid_t start_one_like_our_daemons(void)
{
        pid_t pid = fork();
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
                (void)raise(SIGSTOP);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
        return pid;
}

static void test_hidden(void **state)
{
        unsigned long long start = 0;
        char path[32];
        (void)state;
        if (!hide())
                skip(); /* only root may make such a /proc */
        pid_t pid = start_one_like_our_daemons();
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(proc_start_time(pid, &start), -EACCES);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(proc_start_time(pid, &start), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_hidden)};
        return cmocka_run_group_tests_name("proc_hidden", tests, NULL, NULL);
}
