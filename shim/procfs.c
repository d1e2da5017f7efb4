/* procfs.c - getdents64 into a small buffer instead of opendir(3), which would take 32 KiB of heap. */
#include "shim/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct dirent_head { /* struct linux_dirent64 */
        uint64_t ino;
        int64_t off;
        unsigned short len;
        unsigned char type;
        char name[];
};

/* The command in /proc/PID/stat may hold any byte, blanks and brackets too: fields are counted from its last
 * ')'. */
static bool read_stat(struct procfs_entry *e)
{
        char buf[512];
        int fd = openat(e->dir_fd, "stat", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        ssize_t n = read(fd, buf, sizeof(buf) - 1);
        (void)close(fd);
        if (n <= 0)
                return false;
        buf[n] = '\0';
        const char *after = strrchr(buf, ')');
        return after != NULL && sscanf(after + 1, " %c %d %d", &e->state, &e->parent, &e->group) == 3;
}

static bool visit(int proc_fd, const char *name, procfs_fn *fn, void *arg)
{
        struct procfs_entry e = {.pid = (pid_t)strtol(name, NULL, 10)};
        if (e.pid <= 0)
                return true;
        e.dir_fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (e.dir_fd < 0)
                return true;
        bool go_on = !read_stat(&e) || fn(arg, &e);
        (void)close(e.dir_fd);
        return go_on;
}

pid_t procfs_parent(pid_t pid)
{
        char path[32];
        struct procfs_entry e = {.pid = pid};
        (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        e.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (e.dir_fd < 0)
                return 0;
        bool there = read_stat(&e);
        (void)close(e.dir_fd);
        return there ? e.parent : 0;
}

/* The descriptor of /proc/PID serves as a pidfd. */
void procfs_signal(const struct procfs_entry *e, int signo)
{
        (void)syscall(SYS_pidfd_send_signal, e->dir_fd, signo, NULL, 0); /* see procfs.h */
}

int procfs_walk(procfs_fn *fn, void *arg)
{
        _Alignas(struct dirent_head) char buf[2048];
        int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (proc_fd < 0)
                return -errno;
        long n;
        bool go_on = true;
        while (go_on && (n = syscall(SYS_getdents64, proc_fd, buf, sizeof(buf))) > 0) {
                for (long at = 0; go_on && at < n;) {
                        const struct dirent_head *d = (const void *)(buf + at);
                        go_on = visit(proc_fd, d->name, fn, arg);
                        at += d->len;
                }
        }
        (void)close(proc_fd);
        return 0;
}
