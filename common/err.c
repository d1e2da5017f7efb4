/* err.c - fills an errinfo: one line, cut at a whole character, so that it may go into a log line or a row.
 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/utf8.h"

static void one_line(char *s)
{
        size_t len = strlen(s);
        while (len > 0 && (s[len - 1] == '\n' || s[len - 1] == '\r'))
                s[--len] = '\0';
        for (; *s != '\0'; s++)
                if (*s == '\n' || *s == '\r')
                        *s = ' ';
}

void err_set(struct errinfo *e, const char *code, const char *fmt, ...)
{
        if (e == NULL)
                return;
        /* On the heap first: an argument may be e->text itself, when a caller adds to what it was told. */
        _cleanup_(freep) char *text = NULL;
        va_list ap;
        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) < 0)
                text = xstrdup("out of memory");
        va_end(ap);

        one_line(text);
        size_t len = strlen(text);
        size_t keep = utf8_cut(text, len, sizeof(e->text) - sizeof("..."));
        if (len < sizeof(e->text))
                memcpy(e->text, text, len + 1);
        else
                (void)snprintf(e->text, sizeof(e->text), "%.*s...", (int)keep, text);
        if (code != e->code)
                (void)snprintf(e->code, sizeof(e->code), "%s", code != NULL ? code : "");
}
