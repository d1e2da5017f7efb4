/* pidfile.c - the locked pid file of pidfile.h. */
#include "supervisor/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/mem.h"

/* The pid in a file that somebody else has locked; "?" while that one has not written it yet. */
static void read_owner(int fd, char *text, size_t size)
{
        ssize_t n = pread(fd, text, size - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '\0')
                (void)snprintf(text, size, "?");
}

static int lock(int fd, const char *path, struct errinfo *err)
{
        char owner[32];
        int r;

        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        r = -errno;
        if (r == -EWOULDBLOCK) {
                read_owner(fd, owner, sizeof(owner));
                err_set(err, "",
                        "another supervisor (pid %s) holds %s: stop it first, or use another state_dir",
                        owner, path);
                return -EEXIST;
        }
        err_set(err, "", "could not lock %s: %s", path, strerror(-r));
        return r;
}

static int write_pid(int fd, const char *path, struct errinfo *err)
{
        char text[32];
        int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
        int r;

        if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len)
                return 0;
        r = errno != 0 ? -errno : -EIO;
        err_set(err, "", "could not write %s: %s", path, strerror(-r));
        return r;
}

int pidfile_take(const char *state_dir, int *ret_fd, struct errinfo *err)
{
        _cleanup_(freep) char *path = xasprintf("%s/supervisor.pid", state_dir);
        int fd, r;

        if (mkdir(state_dir, 0750) < 0 && errno != EEXIST) {
                r = -errno;
                err_set(err, "", "could not make the folder %s (state_dir): %s", state_dir, strerror(-r));
                return r;
        }
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0) {
                r = -errno;
                err_set(err, "", "could not open %s: %s", path, strerror(-r));
                return r;
        }
        r = lock(fd, path, err);
        if (r == 0)
                r = write_pid(fd, path, err);
        if (r < 0) {
                (void)close(fd); /* nothing was written that could be lost */
                return r;
        }
        *ret_fd = fd;
        return 0;
}

void pidfile_release(int fd)
{
        int r;

        if (fd < 0)
                return;
        r = ftruncate(fd, 0);
        (void)r; /* the lock is what counts: an old pid in an unlocked file misleads nobody */
        (void)close(fd);
}
