/*
 * strbuf.h - text that grows.
 *
 * Invariant: `buf` is never NULL and always terminated, also in a fresh STRBUF_INIT; `len` does not count the
 * terminator. Bytes may include NUL; then use `len`. The buffer is owned by the struct until strbuf_take().
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
        char *buf;
        size_t len;
        size_t alloc; /* 0: buf is the shared empty string */
};

extern char strbuf_empty[1];
#define STRBUF_INIT                                                                                          \
        {                                                                                                    \
                .buf = strbuf_empty                                                                          \
        }

void strbuf_deinit(struct strbuf *sb); /* leaves it as STRBUF_INIT */
void strbuf_reset(struct strbuf *sb);  /* length 0, keeps the memory */
void strbuf_reserve(struct strbuf *sb, size_t extra);
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_addstr(struct strbuf *sb, const char *s);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
        __attribute__((format(printf, 2, 0), nonnull(2)));
void strbuf_remove(struct strbuf *sb, size_t pos, size_t len); /* cuts [pos, pos+len) out */
/* Hands the memory to the caller (free it); the strbuf is empty again. */
char *strbuf_take(struct strbuf *sb);
/* Reads a whole file of at most `max` bytes: 0, or -errno (-EFBIG when longer). */
int strbuf_read_file(struct strbuf *sb, const char *path, size_t max);
/* The same of a folder that others write into: only a regular file of our own user counts, no link and no
 * pipe, on which one would wait. */
int strbuf_read_own_file(struct strbuf *sb, const char *path, size_t max);
