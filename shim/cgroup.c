/* cgroup.c - finds our own cgroup, and makes and removes the one below it. */
#include "shim/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAME_SIZE 48

/* The line "0::/PATH" of /proc/self/cgroup; the other lines are of cgroup v1. */
static bool read_own_path(char *path, size_t size)
{
        char buf[PATH_MAX];
        int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
        if (fd >= 0)
                (void)close(fd);
        if (n <= 0)
                return false;
        buf[n] = '\0';
        const char *line = strncmp(buf, "0::/", 4) == 0 ? buf : strstr(buf, "\n0::/");
        if (line == NULL)
                return false;
        line += line == buf ? 4 : 5;
        size_t len = strcspn(line, "\n");
        if (len >= size)
                return false;
        memcpy(path, line, len);
        path[len] = '\0';
        return true;
}

static int open_root(void)
{
        static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                struct statfs fs;
                if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        return -1;
}

static bool has_mark(int fd, const char *name)
{
        char value = '0';
        return fgetxattr(fd, name, &value, 1) == 1 && value == '1';
}

static bool is_delegated(int fd)
{
        struct stat st;
        if (geteuid() != 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid())
                return true;
        return has_mark(fd, "user.delegate") || has_mark(fd, "trusted.delegate");
}

/* Our own cgroup, if it was delegated; or -1. The root never is. */
static int open_own(void)
{
        char path[PATH_MAX];
        if (!read_own_path(path, sizeof(path)) || path[0] == '\0')
                return -1;
        int root = open_root();
        int fd = root < 0 ? -1 : openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root >= 0)
                (void)close(root);
        if (fd >= 0 && !is_delegated(fd)) {
                (void)close(fd);
                fd = -1;
        }
        return fd;
}

static bool make_name(const char *run_dir, char name[static NAME_SIZE])
{
        struct stat st;
        if (stat(run_dir, &st) < 0)
                return false;
        (void)snprintf(name, NAME_SIZE, "orch-run-%llx", (unsigned long long)st.st_ino); /* always fits */
        return true;
}

static int write_file(int fd, const char *name, const char *text)
{
        int file = openat(fd, name, O_WRONLY | O_CLOEXEC);
        if (file < 0)
                return -errno;
        int r = write(file, text, strlen(text)) < 0 ? -errno : 0;
        (void)close(file);
        return r;
}

int cgroup_make(const char *run_dir)
{
        char name[NAME_SIZE];
        int own = open_own();
        int fd = -1;
        if (own < 0)
                return -1;
        if (make_name(run_dir, name) && mkdirat(own, name, 0755) == 0) {
                fd = openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd < 0 || write_file(fd, "cgroup.freeze", "0") < 0) { /* a kernel without the freezer */
                        (void)unlinkat(own, name, AT_REMOVEDIR);
                        if (fd >= 0)
                                (void)close(fd);
                        fd = -1;
                }
        }
        (void)close(own);
        return fd;
}

int cgroup_join(int fd)
{
        return write_file(fd, "cgroup.procs", "0");
}

int cgroup_set_frozen(int fd, bool frozen)
{
        return write_file(fd, "cgroup.freeze", frozen ? "1" : "0");
}

void cgroup_remove(int fd, const char *run_dir)
{
        char name[NAME_SIZE];
        int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(fd);
        if (parent < 0)
                return;
        if (make_name(run_dir, name))
                (void)unlinkat(parent, name, AT_REMOVEDIR); /* one that stays is empty, and harms nobody */
        (void)close(parent);
}

int cgroup_clear(const char *run_dir)
{
        char name[NAME_SIZE];
        int own = open_own();
        if (own < 0)
                return 0;
        int fd = make_name(run_dir, name) ? openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        bool there = fd >= 0;
        if (there) {
                (void)write_file(fd, "cgroup.kill",
                                 "1"); /* before Linux 5.14 the strays are found one by one */
                (void)close(fd);
                there = unlinkat(own, name, AT_REMOVEDIR) < 0 && errno == EBUSY;
        }
        (void)close(own);
        return there ? -EBUSY : 0;
}
