/* status.c - format, and the write + fsync + rename + fsync that makes it durable and atomic. */
#include "shim/status.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *outcome_name(const struct status *st)
{
        if (st->start_error != 0)
                return "start-failed";
        switch (st->cause) {
        case CASCADE_CAUSE_NONE:
                return WIFSIGNALED(st->wait_status) ? "signaled" : "exited";
        case CASCADE_CAUSE_WALL:
        case CASCADE_CAUSE_START:
        case CASCADE_CAUSE_IDLE:
                return "timeout";
        default:
                return "stopped";
        }
}

size_t status_format(const struct status *st, char buf[static STATUS_MAX])
{
        int code = st->ended && WIFEXITED(st->wait_status) ? WEXITSTATUS(st->wait_status) : -1;
        int signo = st->ended && WIFSIGNALED(st->wait_status) ? WTERMSIG(st->wait_status) : 0;
        int n = snprintf(buf, STATUS_MAX,
                         "outcome=%s\ncode=%d\nsignal=%d\nstop_reason=%s\nerror=%s\n"
                         "started_ms=%lld\nended_ms=%lld\nlog_bytes=%lld\nsurvivors=%d\n",
                         outcome_name(st), code, signo, cascade_cause_name(st->cause),
                         st->start_error != 0 ? strerror(st->start_error) : "", (long long)st->started_ms,
                         (long long)st->ended_ms, (long long)st->log_bytes, st->survivors);
        assert(n > 0 && n < STATUS_MAX);
        return (size_t)n;
}

static int write_durably(int fd, const char *text, size_t len)
{
        ssize_t n = write(fd, text, len);
        if (n < 0)
                return -errno;
        if ((size_t)n < len)
                return -ENOSPC; /* a short write to a file means just that */
        return fsync(fd) < 0 ? -errno : 0;
}

int status_write(int dir_fd, const struct status *st)
{
        char text[STATUS_MAX];
        size_t len = status_format(st, text);

        (void)unlinkat(dir_fd, "status.new", 0); /* usually there is none */
        int fd = openat(dir_fd, "status.new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;
        int r = write_durably(fd, text, len);
        if (close(fd) < 0 && r == 0)
                r = -errno;
        if (r == 0 && renameat(dir_fd, "status.new", dir_fd, "status") < 0)
                r = -errno;
        if (r == 0 && fsync(dir_fd) < 0)
                r = -errno;
        return r;
}
