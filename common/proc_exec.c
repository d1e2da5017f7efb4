/*
 * proc_exec.c - fork and exec.
 *
 * The child of a fork tells over a close-on-exec pipe which step failed; end of file there means that exec
 * went well. Waiting for that is the one blocking read of the suite: it lasts as long as exec(2) does.
 * Between fork and exec only system calls happen: the child shares the parent's libevent and libpq state by
 * copy and must not touch it.
 */
#include "common/proc_exec.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/strbuf.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2) /* linux/close_range.h; libc names the call, not the flag */
#endif

#define FDS_MAX 16

enum step { STEP_DESCRIPTORS, STEP_SESSION, STEP_CWD, STEP_EXEC };

struct failure {
        enum step step;
        int error;
};

/* ---- in the child ---- */

static _Noreturn void give_up(int report_fd, enum step step)
{
        const struct failure f = {.step = step, .error = errno};
        ssize_t n = write(report_fd, &f, sizeof(f));
        (void)n; /* a parent that is gone reads nothing */
        _exit(127);
}

static void reset_signals(const sigset_t *blocked)
{
        const struct sigaction dfl = {.sa_handler = SIG_DFL};
        for (int signo = 1; signo < NSIG; signo++)
                (void)sigaction(signo, &dfl, NULL); /* refused for KILL, STOP and libc's own */
        sigset_t none;
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, blocked != NULL ? blocked : &none, NULL);
}

static bool is_target(const struct proc_exec *x, int fd)
{
        for (size_t i = 0; i < x->n_fds; i++)
                if (x->fds[i].to == fd)
                        return true;
        return false;
}

/* Puts every descriptor at its number. All are first copied above the highest number asked for, since one's
 * source may be another's target. Everything else is left to close at exec, the report pipe too. */
static int arrange_fds(const struct proc_exec *x, int *report_fd)
{
        int copies[FDS_MAX];
        int top = STDERR_FILENO;
        for (size_t i = 0; i < x->n_fds; i++)
                if (x->fds[i].to > top)
                        top = x->fds[i].to;

        *report_fd = fcntl(*report_fd, F_DUPFD_CLOEXEC, top + 1);
        if (*report_fd < 0)
                return -1;
        for (size_t i = 0; i < x->n_fds; i++) {
                int from = x->fds[i].from;
                if (from < 0)
                        from = open("/dev/null", O_RDWR | O_CLOEXEC);
                copies[i] = from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, top + 1);
                if (copies[i] < 0)
                        return -1;
        }
        for (size_t i = 0; i < x->n_fds; i++)
                if (dup2(copies[i], x->fds[i].to) < 0)
                        return -1;
        for (int fd = 0; fd <= top; fd++)
                if (!is_target(x, fd))
                        (void)close(fd); /* most are not open */
        return close_range((unsigned)top + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

static _Noreturn void run_child(const struct proc_exec *x, const char *program, int report_fd)
{
        static const char *const empty[] = {NULL};
        int early_fd = report_fd;
        reset_signals(x->blocked);
        if (arrange_fds(x, &report_fd) < 0)
                give_up(report_fd >= 0 ? report_fd : early_fd, STEP_DESCRIPTORS);
        if (x->new_session && setsid() < 0)
                give_up(report_fd, STEP_SESSION);
        if (x->new_group && !x->new_session && setpgid(0, 0) < 0)
                give_up(report_fd, STEP_SESSION);
        if (x->dies_with_us && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                give_up(report_fd, STEP_SESSION);
        if (x->cwd != NULL && chdir(x->cwd) < 0)
                give_up(report_fd, STEP_CWD);
        (void)execve(program, (char *const *)x->argv, (char *const *)(x->envp != NULL ? x->envp : empty));
        give_up(report_fd, STEP_EXEC);
}

/* ---- in the parent ---- */

static const char *env_get(const char *const *envp, const char *name)
{
        size_t len = strlen(name);
        for (; envp != NULL && *envp != NULL; envp++)
                if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
                        return *envp + len + 1;
        return NULL;
}

static int check_program(const char *path)
{
        struct stat st;
        if (stat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
                return -EACCES;
        return 0;
}

/* Looks for `name` in the folders of `path`. Relative ones are passed over: with them the contents of a
 * checkout could decide what runs. */
static int search_path(const char *name, const char *path, struct strbuf *ret_path)
{
        int r = -ENOENT;
        const char *next = path;
        for (const char *p = path; next != NULL; p = next) {
                size_t len = strcspn(p, ":");
                next = p[len] == ':' ? p + len + 1 : NULL;
                if (*p != '/')
                        continue;
                strbuf_reset(ret_path);
                strbuf_addf(ret_path, "%.*s/%s", (int)len, p, name);
                int found = check_program(ret_path->buf);
                if (found == 0)
                        return 0;
                if (found == -EACCES)
                        r = -EACCES;
        }
        return r;
}

static int find_program(const struct proc_exec *x, struct strbuf *ret_path, struct errinfo *err)
{
        const char *name = x->argv[0];
        const char *path = env_get(x->envp, "PATH");
        if (strchr(name, '/') != NULL) {
                strbuf_addstr(ret_path, name);
                return 0;
        }
        int r = *name != '\0' ? search_path(name, path != NULL ? path : "", ret_path) : -ENOENT;
        if (r < 0)
                err_set(err, NULL, "cannot run \"%s\": %s in PATH \"%s\"", name,
                        r == -EACCES ? "what is found is not executable" : "it is not found",
                        path != NULL ? path : "");
        return r;
}

int proc_find_program(const char *name, const char *path, struct errinfo *err)
{
        struct strbuf found = STRBUF_INIT;
        const char *argv[] = {name, NULL};
        _cleanup_(freep) char *entry = xasprintf("PATH=%s", path);
        const char *envp[] = {entry, NULL};
        const struct proc_exec x = {.argv = argv, .envp = envp};
        int r = find_program(&x, &found, err);
        if (r == 0 && name[0] == '/') {
                r = check_program(name);
                if (r < 0)
                        err_set(err, NULL, "cannot run \"%s\": %s", name, log_errno_text(-r));
        }
        strbuf_deinit(&found);
        return r;
}

static void describe(const struct failure *f, const struct proc_exec *x, const char *program,
                     struct errinfo *err)
{
        const char *why = log_errno_text(f->error);
        switch (f->step) {
        case STEP_DESCRIPTORS:
                err_set(err, NULL, "cannot run %s: its descriptors cannot be set up: %s", program, why);
                return;
        case STEP_SESSION:
                err_set(err, NULL, "cannot run %s: it cannot have its own process group: %s", program, why);
                return;
        case STEP_CWD:
                err_set(err, NULL, "cannot run %s: cannot enter %s: %s", program, x->cwd, why);
                return;
        case STEP_EXEC:
                err_set(err, NULL, "cannot run %s: %s", program, why);
                return;
        }
}

/* Signals are blocked across the fork: until the child has reset them, libevent's handler there would write
 * into the pipe that it shares with our loop. */
static pid_t fork_child(const struct proc_exec *x, const char *program, int report_fd)
{
        sigset_t all, before;
        (void)sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, &before);
        pid_t pid = fork();
        if (pid == 0)
                run_child(x, program, report_fd);
        int saved = errno;
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        errno = saved;
        return pid;
}

/* 0: the program runs; 1: `f` says what failed. */
static int await_exec(int report_fd, struct failure *f)
{
        ssize_t n;
        do {
                n = read(report_fd, f, sizeof(*f));
        } while (n < 0 && errno == EINTR);
        return n == sizeof(*f);
}

/* Whoever started us may have had SIGCHLD ignored; children would then vanish without an exit status. */
static void keep_zombies(void)
{
        struct sigaction sa;
        if (sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
                (void)signal(SIGCHLD, SIG_DFL);
}

static int cannot_start(const char *program, int r, struct errinfo *err)
{
        err_set(err, NULL, "cannot start %s: %s", program, log_errno_text(r));
        return r;
}

static int start(const struct proc_exec *x, const char *program, pid_t *ret_pid, int *ret_pidfd,
                 struct errinfo *err)
{
        int report[2];
        struct failure f;
        if (pipe2(report, O_CLOEXEC) < 0)
                return cannot_start(program, -errno, err);
        _cleanup_(closep) int report_read = report[0];
        pid_t pid = fork_child(x, program, report[1]);
        int r = pid < 0 ? -errno : 0;
        (void)close(report[1]);
        if (r < 0)
                return cannot_start(program, r, err);

        if (await_exec(report_read, &f)) {
                (void)waitpid(pid, NULL, 0); /* it has exited, or is about to */
                describe(&f, x, program, err);
                return -f.error;
        }
        int pidfd = pidfd_open(pid, 0);
        if (pidfd < 0) {
                r = -errno;
                (void)kill(pid, SIGKILL); /* ours and not yet waited for: the pid is still its own */
                (void)waitpid(pid, NULL, 0);
                return cannot_start(program, r, err);
        }
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        return 0;
}

int proc_exec(const struct proc_exec *x, pid_t *ret_pid, int *ret_pidfd, struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf program = STRBUF_INIT;
        assert(x->n_fds <= FDS_MAX);
        int r = find_program(x, &program, err);
        if (r < 0)
                return r;
        keep_zombies();
        return start(x, program.buf, ret_pid, ret_pidfd, err);
}
