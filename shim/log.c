/* log.c - head, rotating tail, and the join at the end. No memory but one static buffer. */
#include "shim/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEAM_ROOM    128  /* of the bound, for the line between head and tail */
#define LINE_LOOKOUT 4096 /* how far into the tail a line's beginning is looked for */
#define LOG_MODE     0640

/* Created anew: an agent may have put something of that name here, a symbolic link at worst. */
static int create(int dir_fd, const char *name)
{
        (void)unlinkat(dir_fd, name, 0); /* usually there is none */
        int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LOG_MODE);
        return fd < 0 ? -errno : fd;
}

int log_open(struct log *log, int dir_fd, int64_t max_bytes)
{
        *log = (struct log){.dir_fd = dir_fd, .tail_fd = -1, .prev_fd = -1};
        log->half = (max_bytes - SEAM_ROOM) / 2;
        log->head_fd = openat(dir_fd, "log", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LOG_MODE);
        return log->head_fd < 0 ? -errno : 0;
}

/* Returns how much went out; less than `len` only after an error. */
static size_t write_all(int fd, const char *data, size_t len)
{
        size_t done = 0;
        while (done < len) {
                ssize_t n = write(fd, data + done, len - done);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                done += (size_t)n;
        }
        return done;
}

static size_t room(int64_t bound, int64_t used, size_t len)
{
        int64_t left = bound - used;
        return left <= 0 ? 0 : (int64_t)len < left ? len : (size_t)left;
}

static size_t append_head(struct log *log, const char *data, size_t len)
{
        size_t want = log->head_error != 0 ? 0 : room(log->half, log->head_len, len);
        size_t done = write_all(log->head_fd, data, want);
        if (done < want)
                log->head_error = errno;
        log->head_len += (int64_t)done;
        return want;
}

static void rotate(struct log *log)
{
        if (log->tail_fd >= 0) {
                if (log->prev_fd >= 0)
                        (void)close(log->prev_fd); /* its name goes to the next one */
                (void)renameat(log->dir_fd, "log.tail", log->dir_fd, "log.tail.1"); /* only readers miss it */
                log->prev_fd = log->tail_fd;
                log->prev_len = log->tail_len;
        }
        log->tail_len = 0;
        log->tail_fd = create(log->dir_fd, "log.tail");
}

/* Takes at least one byte, so that a caller with more always comes to an end. */
static size_t append_tail(struct log *log, const char *data, size_t len)
{
        if (log->tail_fd < 0 || log->tail_len >= log->half)
                rotate(log);
        size_t want = room(log->half, log->tail_len, len);
        if (log->tail_fd < 0)
                return want;
        log->tail_len += (int64_t)write_all(log->tail_fd, data, want);
        return want;
}

void log_append(struct log *log, const char *data, size_t len)
{
        log->total += (int64_t)len;
        size_t taken = append_head(log, data, len);
        while (taken < len)
                taken += append_tail(log, data + taken, len - taken);
}

/* Where the first whole line begins at or after `from`; `from` itself when there is none nearby. */
static int64_t line_start(int fd, int64_t from)
{
        char buf[LINE_LOOKOUT];
        ssize_t n = pread(fd, buf, sizeof(buf), from);
        const char *nl = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;
        return nl == NULL ? from : from + (nl - buf) + 1;
}

static void copy(struct log *log, int fd, int64_t from)
{
        static char buf[16384];
        ssize_t n;
        while ((n = pread(fd, buf, sizeof(buf), from)) > 0) {
                if (write_all(log->head_fd, buf, (size_t)n) < (size_t)n)
                        return;
                from += n;
        }
}

/* The last `half` bytes may begin inside the previous tail file, and must not begin inside a line. */
static void join(struct log *log)
{
        int64_t skip_prev = log->prev_fd >= 0 ? log->prev_len + log->tail_len - log->half : 0;
        int64_t skip_tail = 0;
        if (skip_prev < 0)
                skip_prev = 0;
        if (skip_prev > 0 && skip_prev < log->prev_len)
                skip_prev = line_start(log->prev_fd, skip_prev);
        else if (skip_prev > 0)
                skip_tail = line_start(log->tail_fd, 0);

        int64_t kept = log->head_len + log->prev_len - skip_prev + log->tail_len - skip_tail;
        if (kept < log->total) {
                char seam[SEAM_ROOM];
                int n = snprintf(seam, sizeof(seam), "\n[orch-shim: %lld bytes left out here]\n",
                                 (long long)(log->total - kept));
                (void)write_all(log->head_fd, seam, (size_t)n); /* as the rest: lost when the disk is full */
        }
        if (log->prev_fd >= 0)
                copy(log, log->prev_fd, skip_prev);
        if (log->tail_fd >= 0)
                copy(log, log->tail_fd, skip_tail);
}

void log_finish(struct log *log)
{
        if (log->tail_fd >= 0 || log->head_len < log->total)
                join(log);
        (void)fsync(log->head_fd); /* a log cut short is no reason to lose the status */
        (void)unlinkat(log->dir_fd, "log.tail", 0);
        (void)unlinkat(log->dir_fd, "log.tail.1", 0);
        (void)close(log->head_fd);
        if (log->tail_fd >= 0)
                (void)close(log->tail_fd);
        if (log->prev_fd >= 0)
                (void)close(log->prev_fd);
        log->head_fd = log->tail_fd = log->prev_fd = -1;
}
