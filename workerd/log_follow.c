/* log_follow.c - see log_follow.h. */
#include "workerd/log_follow.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

struct log_follow {
        char *head, *tail, *before_tail; /* paths */
        struct log_follow_fns fns;
        int fd;           /* of what is read now; -1: not there yet */
        bool in_tail;     /* that is a tail */
        bool joined;      /* there are no tails any more */
        int64_t at;       /* in that file */
        int64_t head_len; /* once in a tail */
        int64_t taken;    /* of what the agent wrote */
};

struct log_follow *log_follow_new(const char *log_path, const struct log_follow_fns *fns)
{
        struct log_follow *f = xcalloc(1, sizeof(*f));
        f->head = xstrdup(log_path);
        f->tail = xasprintf("%s.tail", log_path);
        f->before_tail = xasprintf("%s.tail.1", log_path);
        f->fns = *fns;
        f->fd = -1;
        return f;
}

void log_follow_free(struct log_follow *f)
{
        if (f == NULL)
                return;
        if (f->fd >= 0)
                (void)close(f->fd);
        free(f->head);
        free(f->tail);
        free(f->before_tail);
        free(f);
}

static int open_log(const char *path)
{
        return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* Whether all of `max` was read: there may be more. */
static bool read_file(struct log_follow *f, size_t max)
{
        char buf[65536];
        while (max > 0) {
                ssize_t n = pread(f->fd, buf, max < sizeof(buf) ? max : sizeof(buf), f->at);
                if (n <= 0)
                        return false;
                f->at += n;
                f->taken += n;
                max -= (size_t)n;
                f->fns.data(f->fns.arg, buf, (size_t)n);
        }
        return true;
}

static void go_to(struct log_follow *f, int fd, int64_t at)
{
        (void)close(f->fd);
        f->fd = fd;
        f->at = at;
}

/* The next tail, once there is one: nothing is added to the file before it any more. -1: there is none. */
static int next_tail(const struct log_follow *f)
{
        struct stat now, next;
        int fd = f->joined ? -1 : open_log(f->tail);
        if (fd < 0 || !f->in_tail)
                return fd;
        if (fstat(f->fd, &now) == 0 && fstat(fd, &next) == 0 && now.st_ino != next.st_ino)
                return fd;
        (void)close(fd);
        return -1;
}

/* More than one turn of the tail since we looked: what was between is gone, or soon will be. */
static bool has_missed(const struct log_follow *f)
{
        struct stat st;
        if (!f->in_tail)
                return access(f->before_tail, F_OK) == 0;
        return fstat(f->fd, &st) == 0 && st.st_nlink == 0;
}

static void go_on_in(struct log_follow *f, int tail_fd)
{
        if (has_missed(f))
                f->fns.gap(f->fns.arg);
        if (!f->in_tail)
                f->head_len = f->at;
        f->in_tail = true;
        go_to(f, tail_fd, 0);
}

bool log_follow_read(struct log_follow *f, size_t max)
{
        if (f->fd < 0)
                f->fd = open_log(f->head);
        if (f->fd < 0)
                return false;
        if (read_file(f, max))
                return true;
        int tail = next_tail(f);
        if (tail < 0)
                return false;
        if (read_file(f, max)) { /* written between the look at it and the look at its successor */
                (void)close(tail);
                return true;
        }
        go_on_in(f, tail);
        return true;
}

/* The end of `log` is the end of what the agent wrote. */
void log_follow_joined(struct log_follow *f, int64_t total)
{
        struct stat st;
        int fd = f->in_tail ? open_log(f->head) : -1;
        f->joined = true;
        if (fd < 0)
                return;
        int64_t at = fstat(fd, &st) == 0 ? st.st_size - (total - f->taken) : 0;
        if (at < f->head_len) { /* some of it is not there */
                f->fns.gap(f->fns.arg);
                at = f->head_len;
        }
        f->in_tail = false;
        go_to(f, fd, at);
}
