/* agent.c - fork, the child's few steps, and a close-on-exec pipe that tells whether exec came about. */
#include "shim/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/freeze.h"

#define OOM_SCORE "500" /* a host short of memory loses an agent before it loses us */
#define NICENESS  10

static void reset_signals(void)
{
        sigset_t none;
        sigemptyset(&none);
        for (int signo = 1; signo < NSIG; signo++)
                (void)signal(signo, SIG_DFL);        /* those that cannot be set are at their default */
        (void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with these arguments */
}

/* What makes a host calmer but is no condition of a run: failures are ignored. */
static void be_modest(const struct args *args)
{
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
                ssize_t n = write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1);
                (void)n;
                (void)close(fd);
        }
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (args->nice)
                (void)setpriority(PRIO_PROCESS, 0, NICENESS);
}

static bool bound(int resource, int64_t max)
{
        const struct rlimit limit = {(rlim_t)max, (rlim_t)max};
        struct rlimit now;
        if (max == 0 ||
            (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max <= limit.rlim_max))
                return true; /* bound as closely already */
        return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

/* Processes are counted per user, and root is not bound: only as good as the user that the suite runs as. The
 * others are of each process by itself. */
static bool bound_all(const struct args *args)
{
        return bound(RLIMIT_NPROC, args->max_processes) && bound(RLIMIT_CPU, args->max_cpu_s) &&
               bound(RLIMIT_AS, args->max_memory) && bound(RLIMIT_FSIZE, args->max_file) &&
               bound(RLIMIT_NOFILE, args->max_open_files);
}

static int set_up(const struct args *args, const struct freeze *freeze, int output_fd)
{
        if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return errno;
        int in = open(args->stdin_path, O_RDONLY | O_CLOEXEC);
        if (in < 0 || dup2(in, STDIN_FILENO) < 0)
                return errno;
        if (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0)
                return errno;
        if (chdir(args->cwd) < 0)
                return errno;
        int r = freeze_join(freeze);
        if (r < 0)
                return -r;
        return bound_all(args) ? 0 : errno;
}

static _Noreturn void child(const struct args *args, const struct freeze *freeze, int output_fd,
                            int report_fd)
{
        reset_signals();
        int error = set_up(args, freeze, output_fd);
        if (error == 0) {
                be_modest(args);
                execvp(args->command[0], args->command);
                error = errno;
        }
        ssize_t n = write(report_fd, &error, sizeof(error)); /* a parent that is gone needs no report */
        (void)n;
        _exit(127);
}

int agent_start(const struct args *args, const struct freeze *freeze, int output_fd, pid_t *ret_pid)
{
        int report[2];
        if (pipe2(report, O_CLOEXEC) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid == 0)
                child(args, freeze, output_fd, report[1]);
        int error = pid < 0 ? errno : 0;
        (void)close(report[1]);
        if (pid > 0 && read(report[0], &error, sizeof(error)) == (ssize_t)sizeof(error))
                (void)waitpid(pid, NULL, 0); /* its end is certain, and its status is the error */
        (void)close(report[0]);
        if (error != 0)
                return -error;
        *ret_pid = pid;
        return 0;
}
