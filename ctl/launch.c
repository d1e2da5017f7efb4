/* launch.c - fork, exec, and listening to what the child says. */
#include "ctl/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"

#define WAIT_SLICE_MS 50 /* the end of the child is looked for this often */

/* A socket in the abstract namespace, whose name the kernel chooses; `address` becomes "@name". */
static int open_notify(struct strbuf *address, struct errinfo *err)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        socklen_t len = sizeof(addr);
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)) < 0 ||
            getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
                int r = -errno;
                err_set(err, "", "cannot open a socket: %s", strerror(-r));
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        strbuf_addch(address, '@');
        strbuf_add(address, addr.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
        return fd;
}

/* In the child. Only what is safe after fork; exit status 127 says that exec failed. */
static void become(char *const *argv, int log_fd, const char *notify_address)
{
        int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        sigset_t none;
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        if (null_fd < 0 || setsid() < 0 || setenv("NOTIFY_SOCKET", notify_address, 1) < 0 ||
            dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
            dup2(log_fd, STDERR_FILENO) < 0)
                _exit(127);
        (void)unsetenv("WATCHDOG_USEC"); /* meant for us, if for anybody */
        (void)execv(argv[0], argv);
        _exit(127);
}

int launch_start(char *const *argv, const char *log_path, struct launch *ret_launch, struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf address = STRBUF_INIT;
        _cleanup_(closep) int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (log_fd < 0) {
                int r = -errno;
                err_set(err, "", "cannot write %s: %s", log_path, strerror(-r));
                return r;
        }
        int notify_fd = open_notify(&address, err);
        if (notify_fd < 0)
                return notify_fd;
        pid_t pid = fork();
        if (pid == 0)
                become(argv, log_fd, address.buf);
        if (pid < 0) {
                int r = -errno;
                err_set(err, "", "cannot start a process: %s", strerror(-r));
                (void)close(notify_fd);
                return r;
        }
        *ret_launch = (struct launch){.pid = pid, .notify_fd = notify_fd};
        return 0;
}

void launch_deinit(struct launch *l)
{
        if (l->notify_fd >= 0)
                (void)close(l->notify_fd);
        *l = (struct launch)LAUNCH_INIT;
}

/* One datagram of KEY=value lines: whether it says READY; its STATUS replaces `status`. */
static bool read_message(int fd, struct strbuf *status)
{
        char text[4096];
        char *rest = NULL;
        bool ready = false;
        ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        text[n > 0 ? n : 0] = '\0';
        for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
                ready = ready || strcmp(line, "READY=1") == 0;
                if (strncmp(line, "STATUS=", 7) == 0) {
                        strbuf_reset(status);
                        strbuf_addstr(status, line + 7);
                }
        }
        return ready;
}

static bool has_ended(const struct launch *l, struct strbuf *status)
{
        int how = 0;
        if (waitpid(l->pid, &how, WNOHANG) != l->pid)
                return false;
        strbuf_reset(status);
        if (WIFSIGNALED(how))
                strbuf_addf(status, "was killed by signal %d", WTERMSIG(how));
        else if (WEXITSTATUS(how) == 127)
                strbuf_addstr(status, "could not be started");
        else
                strbuf_addf(status, "ended with exit code %d", WEXITSTATUS(how));
        return true;
}

enum launch_event launch_wait(struct launch *l, int timeout_ms, struct strbuf *status)
{
        struct pollfd fd = {.fd = l->notify_fd, .events = POLLIN};
        for (int waited = 0; waited <= timeout_ms; waited += WAIT_SLICE_MS) {
                if (poll(&fd, 1, WAIT_SLICE_MS) > 0 && read_message(l->notify_fd, status))
                        return LAUNCH_READY;
                if (has_ended(l, status))
                        return LAUNCH_ENDED;
        }
        return LAUNCH_NOTHING;
}
