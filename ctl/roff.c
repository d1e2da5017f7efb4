/* roff.c - see roff.h. */
#include "ctl/roff.h"

#include <string.h>

#include "common/strbuf.h"

#define LINE_MAX_BYTES 70 /* before escapes are put in; mandoc wants less than 80 */

void roff_escaped(struct strbuf *sb, const char *s, bool in_macro)
{
        for (; *s != '\0'; s++) {
                if (*s == '\\')
                        strbuf_addstr(sb, "\\e");
                else if (*s == '-')
                        strbuf_addstr(sb, "\\-");
                else if (*s == '"' && in_macro)
                        strbuf_addstr(sb, "\\(dq");
                else
                        strbuf_addch(sb, *s);
        }
}

void roff_line(struct strbuf *sb, const char *s)
{
        if (*s == '.' || *s == '\'')
                strbuf_addstr(sb, "\\&");
        roff_escaped(sb, s, false);
        strbuf_addch(sb, '\n');
}

void roff_macro(struct strbuf *sb, const char *macro, const char *s)
{
        strbuf_addf(sb, ".%s ", macro);
        roff_escaped(sb, s, true);
        strbuf_addch(sb, '\n');
}

static bool ends_sentence(const char *word, size_t len)
{
        return len > 0 && strchr(".?!", word[len - 1]) != NULL;
}

void roff_prose(struct strbuf *sb, const char *s)
{
        struct strbuf line = STRBUF_INIT;
        for (s += strspn(s, " "); *s != '\0'; s += strspn(s, " ")) {
                size_t len = strcspn(s, " ");
                if (line.len > 0 && line.len + 1 + len > LINE_MAX_BYTES) {
                        roff_line(sb, line.buf);
                        strbuf_reset(&line);
                }
                strbuf_addf(&line, "%s%.*s", line.len > 0 ? " " : "", (int)len, s);
                if (ends_sentence(s, len)) {
                        roff_line(sb, line.buf);
                        strbuf_reset(&line);
                }
                s += len;
        }
        if (line.len > 0)
                roff_line(sb, line.buf);
        strbuf_deinit(&line);
}
