/* mem.c - allocation that cannot fail. Its one policy: say so in a line and abort, without allocating. */
#include "common/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
        static const char line[] = "level=error event=memory.exhausted\n";

        ssize_t n = write(STDERR_FILENO, line, sizeof(line) - 1);
        (void)n; /* nothing is left to do about it */
        abort();
}

/* malloc(0) may be NULL, which our attributes rule out: ask for a byte then. */
void *xmalloc(size_t size)
{
        void *p = malloc(size > 0 ? size : 1);
        if (p == NULL)
                out_of_memory();
        return p;
}

void *xcalloc(size_t n, size_t size)
{
        void *p = n > 0 && size > 0 ? calloc(n, size) : calloc(1, 1);
        if (p == NULL)
                out_of_memory();
        return p;
}

void *xrealloc(void *p, size_t size)
{
        void *q = realloc(p, size > 0 ? size : 1);
        if (q == NULL)
                out_of_memory();
        return q;
}

char *xstrdup(const char *s)
{
        return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
        size_t len = strnlen(s, n);
        char *p = xmalloc(len + 1);
        memcpy(p, s, len);
        p[len] = '\0';
        return p;
}

char *xasprintf(const char *fmt, ...)
{
        char *text = NULL;
        va_list ap;
        va_start(ap, fmt);
        int n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n < 0)
                out_of_memory();
        return text;
}

void freep(void *p)
{
        void *what;
        memcpy(&what, p, sizeof(what)); /* p is the address of a pointer of any type */
        free(what);
}

void closep(const int *fd)
{
        if (*fd >= 0)
                (void)close(*fd); /* a scope's end has nobody to tell */
}
