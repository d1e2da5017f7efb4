/* strays.c - reads environments through /proc/PID descriptors, so that a pid used again is never hit. */
#include "shim/strays.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/cgroup.h"
#include "shim/procfs.h"

#define ROUND_MS 20

struct hunt {
        char marker[PATH_MAX + 32]; /* "ORCH_TASK_FILE=/run/dir/" */
        size_t marker_len;
        int found;
};

/* Compares as the bytes pass by, so that an environment of any size needs no buffer of its size. */
static bool environ_has(int fd, const char *marker, size_t len)
{
        char buf[4096];
        size_t matched = 0;
        bool at_start = true; /* of a variable */
        ssize_t n;
        while ((n = read(fd, buf, sizeof(buf))) > 0) {
                for (ssize_t i = 0; i < n; i++) {
                        if (at_start && buf[i] == marker[matched]) {
                                if (++matched == len)
                                        return true;
                                continue;
                        }
                        matched = 0;
                        at_start = buf[i] == '\0';
                }
        }
        return false;
}

static bool on_process(void *arg, const struct procfs_entry *e)
{
        struct hunt *hunt = arg;
        if (e->pid == getpid() || e->state == 'Z')
                return true;
        int fd = openat(e->dir_fd, "environ", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return true; /* not ours, or gone */
        if (environ_has(fd, hunt->marker, hunt->marker_len)) {
                hunt->found++;
                procfs_signal(e, SIGKILL); /* the next round looks whether it has gone */
        }
        (void)close(fd);
        return true;
}

int strays_kill(const char *run_dir, int64_t timeout_ms)
{
        struct hunt hunt = {.found = 0};
        int n = snprintf(hunt.marker, sizeof(hunt.marker), "ORCH_TASK_FILE=%s/", run_dir);
        if (n < 0 || (size_t)n >= sizeof(hunt.marker))
                return -ENAMETOOLONG;
        hunt.marker_len = (size_t)n;

        for (;; timeout_ms -= ROUND_MS) {
                hunt.found = 0;
                int r = procfs_walk(on_process, &hunt);
                if (r < 0 || (hunt.found == 0 && cgroup_clear(run_dir) == 0))
                        return r;
                if (timeout_ms <= 0)
                        return -ETIMEDOUT;
                (void)nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * 1000000L}, NULL); /* early is fine */
        }
}
