/*
 * mem.h - allocation that cannot fail, and scoped cleanup.
 *
 * Sizes that come from outside are bounded before they get here, so running out of memory is the end of the
 * process: the supervisor starts another. Nothing here returns NULL for a size above zero.
 */
#pragma once

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull, alloc_size(2)));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull, nonnull(1)));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull, nonnull(1)));
/* A formatted string on the heap, never truncated; the caller frees it. */
char *xasprintf(const char *fmt, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Frees what the pointer points to: for locals declared as  _cleanup_(freep) char *x = NULL; */
void freep(void *p);
/* Closes a descriptor local that holds >= 0. */
void closep(const int *fd);

/* Hands a pointer over: yields its value and leaves NULL behind, so that the cleanup does nothing. */
#define take_ptr(p)                                                                                          \
        ({                                                                                                   \
                __typeof__(p) *take_pp_ = &(p);                                                              \
                __typeof__(p) take_v_ = *take_pp_;                                                           \
                *take_pp_ = NULL;                                                                            \
                take_v_;                                                                                     \
        })
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
