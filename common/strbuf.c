/* strbuf.c - text that grows: doubling, always terminated. */
#include "common/strbuf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

char strbuf_empty[1];

void strbuf_deinit(struct strbuf *sb)
{
        if (sb->alloc > 0)
                free(sb->buf);
        *sb = (struct strbuf)STRBUF_INIT;
}

static void set_len(struct strbuf *sb, size_t len)
{
        sb->len = len;
        if (sb->alloc > 0)
                sb->buf[len] = '\0'; /* the shared empty string is terminated already, and never written */
}

void strbuf_reset(struct strbuf *sb)
{
        set_len(sb, 0);
}

void strbuf_reserve(struct strbuf *sb, size_t extra)
{
        assert(extra < SIZE_MAX / 2 - sb->len);
        size_t need = sb->len + extra + 1;
        if (need <= sb->alloc)
                return;
        size_t alloc = sb->alloc > 32 ? sb->alloc : 32;
        while (alloc < need)
                alloc *= 2;
        sb->buf = xrealloc(sb->alloc > 0 ? sb->buf : NULL, alloc);
        sb->alloc = alloc;
        sb->buf[sb->len] = '\0';
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
        if (len == 0)
                return;
        strbuf_reserve(sb, len);
        memcpy(sb->buf + sb->len, data, len);
        set_len(sb, sb->len + len);
}

void strbuf_addstr(struct strbuf *sb, const char *s)
{
        strbuf_add(sb, s, strlen(s));
}

void strbuf_addch(struct strbuf *sb, char c)
{
        strbuf_add(sb, &c, 1);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        strbuf_vaddf(sb, fmt, ap);
        va_end(ap);
}

void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
{
        va_list measure;
        va_copy(measure, ap);
        int n = vsnprintf(NULL, 0, fmt, measure);
        va_end(measure);
        assert(n >= 0);
        strbuf_reserve(sb, (size_t)n);
        (void)vsnprintf(sb->buf + sb->len, (size_t)n + 1, fmt, ap); /* measured above: it fits */
        sb->len += (size_t)n;
}

void strbuf_remove(struct strbuf *sb, size_t pos, size_t len)
{
        assert(pos <= sb->len && len <= sb->len - pos);
        if (len == 0)
                return;
        memmove(sb->buf + pos, sb->buf + pos + len, sb->len - pos - len);
        set_len(sb, sb->len - len);
}

char *strbuf_take(struct strbuf *sb)
{
        char *text = sb->alloc > 0 ? sb->buf : xstrdup("");
        *sb = (struct strbuf)STRBUF_INIT;
        return text;
}

static int read_all(struct strbuf *sb, int fd, size_t max)
{
        size_t start = sb->len;
        for (;;) {
                strbuf_reserve(sb, 4096);
                ssize_t n = read(fd, sb->buf + sb->len, sb->alloc - sb->len - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                set_len(sb, sb->len + (size_t)n);
                if (sb->len - start > max)
                        return -EFBIG;
        }
}

static int read_open_file(struct strbuf *sb, int fd, size_t max)
{
        size_t start = sb->len;
        int r = read_all(sb, fd, max);
        if (r < 0)
                set_len(sb, start);
        return r;
}

int strbuf_read_file(struct strbuf *sb, const char *path, size_t max)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? -errno : read_open_file(sb, fd, max);
}

int strbuf_read_own_file(struct strbuf *sb, const char *path, size_t max)
{
        struct stat st;
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_uid != geteuid())
                return -EPERM;
        return read_open_file(sb, fd, max);
}
