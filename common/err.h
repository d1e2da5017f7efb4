/*
 * err.h - how a failure travels.
 *
 * Functions return int: 0 is success; a negative number is -errno, passed up unchanged and matched by no one;
 * a positive number is an outcome from the callee's own enum, which its direct caller must handle. What a
 * foreign library said (SQLSTATE, HTTP status, curl or libpq text) travels beside it in an errinfo that is
 * filled where the failure arises and logged once, at the edge.
 */
#pragma once

#include <assert.h>
#include <errno.h>

struct errinfo {
        char code[16];  /* SQLSTATE, "http 503", "curl 28", or "" */
        char text[512]; /* one line, no trailing newline; says what could not be done and why */
};

#define ERRINFO_INIT                                                                                         \
        {                                                                                                    \
                .code = "", .text = ""                                                                       \
        }

/* -errno after a call that has failed: below zero for the reader, the compiler and the analyzer. */
static inline int negative_errno(void)
{
        int r = -errno;
        assert(r < 0);
        return r;
}

/* Fills `e` (which may be NULL); newlines become spaces, too long text is cut with "...". */
void err_set(struct errinfo *e, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
