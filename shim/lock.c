/* lock.c - flock(2) with a bounded wait, and the mark inside the file. */
#include "shim/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS 20

static int wait_for_lock(int fd, int64_t wait_ms)
{
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                if (wait_ms <= 0)
                        return -EWOULDBLOCK;
                (void)nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL); /* early is fine */
                wait_ms -= RETRY_MS;
        }
        return 0;
}

static int read_mark(struct lock *lock)
{
        ssize_t n = pread(lock->fd, lock->predecessor, sizeof(lock->predecessor) - 1, 0);
        if (n < 0)
                return -errno;
        lock->predecessor[n] = '\0';
        return 0;
}

int lock_take(struct lock *lock, const char *path, int64_t wait_ms)
{
        lock->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (lock->fd < 0)
                return -errno;
        int r = wait_for_lock(lock->fd, wait_ms);
        if (r == 0)
                r = read_mark(lock);
        if (r < 0) {
                (void)close(lock->fd);
                lock->fd = -1;
        }
        return r;
}

int lock_mark(struct lock *lock, const char *run_dir)
{
        size_t len = strlen(run_dir);
        if (len >= sizeof(lock->predecessor))
                return -ENAMETOOLONG;
        if (ftruncate(lock->fd, 0) < 0)
                return -errno;
        ssize_t n = pwrite(lock->fd, run_dir, len, 0);
        if (n < 0)
                return -errno;
        return (size_t)n == len ? 0 : -ENOSPC;
}

void lock_clear(struct lock *lock)
{
        int r = ftruncate(lock->fd, 0);
        (void)r; /* a mark that stays costs the next shim one look at /proc */
}
