/* follow.c - head, tails, end. */
#include "ctl/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"

#define PIECE_BYTES 65536
#define PIECES_MAX  8

void follow_init(struct follow *f, const char *log_path)
{
        *f = (struct follow)FOLLOW_INIT;
        f->path = xstrdup(log_path);
}

static void close_fd(int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
}

void follow_deinit(struct follow *f)
{
        close_fd(&f->head_fd);
        close_fd(&f->tail_fd);
        free(f->path);
        f->path = NULL;
}

static int open_tail(const struct follow *f)
{
        _cleanup_(freep) char *path = xasprintf("%s.tail", f->path);
        return open(path, O_RDONLY | O_CLOEXEC);
}

/* Whether `log.tail` is still the file we have open. */
static bool tail_is_current(const struct follow *f)
{
        _cleanup_(freep) char *path = xasprintf("%s.tail", f->path);
        struct stat ours, named;
        return fstat(f->tail_fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
               ours.st_dev == named.st_dev;
}

/* The head, up to where it ended when a tail appeared: the joined log repeats the tail behind it. 1: more is
 * there. */
static int read_head(struct follow *f, struct strbuf *sb)
{
        char piece[PIECE_BYTES];
        for (int i = 0; i < PIECES_MAX; i++) {
                off_t left = f->head_end < 0 ? PIECE_BYTES : f->head_end - f->head_at;
                if (left <= 0)
                        return 0;
                ssize_t n =
                        pread(f->head_fd, piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, f->head_at);
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                strbuf_add(sb, piece, (size_t)n);
                f->head_at += n;
        }
        return 1;
}

static int read_tail(const struct follow *f, struct strbuf *sb)
{
        char piece[PIECE_BYTES];
        for (int i = 0; i < PIECES_MAX; i++) {
                ssize_t n = read(f->tail_fd, piece, sizeof(piece));
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                strbuf_add(sb, piece, (size_t)n);
        }
        return 1;
}

/* Looks for the first tail. The size of the head is taken before: what the joining adds comes after. */
static void look_for_tail(struct follow *f)
{
        struct stat st;
        if (fstat(f->head_fd, &st) < 0)
                return;
        f->tail_fd = open_tail(f);
        if (f->tail_fd >= 0)
                f->head_end = st.st_size;
}

int follow_read(struct follow *f, struct strbuf *sb)
{
        if (f->head_fd < 0 && (f->head_fd = open(f->path, O_RDONLY | O_CLOEXEC)) < 0)
                return -errno;
        if (f->head_end < 0 && !follow_ended(f))
                look_for_tail(f);
        int r = read_head(f, sb);
        if (r != 0 || f->tail_fd < 0)
                return r < 0 ? r : 0;
        bool current =
                tail_is_current(f); /* asked before reading: then a tail that is not is read to its end */
        r = read_tail(f, sb);
        if (r == 0 && !current) {
                close_fd(&f->tail_fd);
                f->tail_fd = open_tail(f);
        }
        return r < 0 ? r : 0;
}

bool follow_ended(const struct follow *f)
{
        const char *slash = strrchr(f->path, '/');
        _cleanup_(freep) char *status = xasprintf("%.*s/status", slash != NULL ? (int)(slash - f->path) : 1,
                                                  slash != NULL ? f->path : ".");
        return access(status, F_OK) == 0;
}
