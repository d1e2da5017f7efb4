/* text.c - width, cleaning and layout of text on a terminal. */
#include "ctl/text.h"

#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "common/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS    "\xe2\x80\xa6" /* U+2026 */

void text_init(void)
{
        (void)setlocale(LC_CTYPE, "C.UTF-8"); /* part of libc-bin; without it all but ASCII shows as U+FFFD */
}

/* Characters that reorder what stands around them: a title must not rewrite the line it is in. */
static bool is_direction_mark(uint32_t cp)
{
        return cp == 0x061c || cp == 0x200e || cp == 0x200f || (cp >= 0x202a && cp <= 0x202e) ||
               (cp >= 0x2066 && cp <= 0x2069);
}

/* One character as it is printed. */
struct glyph {
        const char *bytes;
        size_t len;
        size_t columns;
};

/* Takes the character at *s (which is not at its end) and moves behind it. */
static struct glyph next_glyph(const char **s, const char *end)
{
        uint32_t cp = 0;
        const char *at = *s;
        size_t len = utf8_decode(at, (size_t)(end - at), &cp);
        *s += len > 0 ? len : 1;
        if (len == 1 && (cp == '\n' || cp == '\t' || cp == '\r'))
                return (struct glyph){" ", 1, 1};
        int columns = len > 0 && !is_direction_mark(cp) ? wcwidth((wchar_t)cp) : -1;
        if (columns < 0)
                return (struct glyph){REPLACEMENT, sizeof(REPLACEMENT) - 1, 1};
        return (struct glyph){at, len, (size_t)columns};
}

size_t text_width(const char *s)
{
        size_t columns = 0;
        for (const char *end = s + strlen(s); s < end;)
                columns += next_glyph(&s, end).columns;
        return columns;
}

void text_clean(struct strbuf *sb, const char *s)
{
        for (const char *end = s + strlen(s); s < end;) {
                struct glyph g = next_glyph(&s, end);
                strbuf_add(sb, g.bytes, g.len);
        }
}

size_t text_fit(struct strbuf *sb, const char *s, size_t width)
{
        if (text_width(s) <= width) {
                text_clean(sb, s);
                return text_width(s);
        }
        if (width == 0)
                return 0;
        size_t used = 0;
        for (const char *end = s + strlen(s); s < end;) {
                struct glyph g = next_glyph(&s, end);
                if (used + g.columns > width - 1)
                        break;
                strbuf_add(sb, g.bytes, g.len);
                used += g.columns;
        }
        strbuf_addstr(sb, ELLIPSIS);
        return used + 1;
}

void text_pad(struct strbuf *sb, size_t columns)
{
        while (columns-- > 0)
                strbuf_addch(sb, ' ');
}

/* One source line of running text, broken at blanks; returns the column where it stopped. */
static size_t wrap_line(struct strbuf *sb, const char *s, const char *end, size_t column, size_t indent,
                        size_t width)
{
        while (s < end) {
                size_t word = strcspn(s, " \n");
                if (word > 0) {
                        _cleanup_(freep) char *w = xstrndup(s, word);
                        size_t columns = text_width(w);
                        if (column > indent && column + 1 + columns > width) {
                                strbuf_addch(sb, '\n');
                                column = 0;
                        }
                        if (column == 0) {
                                text_pad(sb, indent);
                                column = indent;
                        } else {
                                strbuf_addch(sb, ' ');
                                column++;
                        }
                        strbuf_addstr(sb, w);
                        column += columns;
                }
                s += word + (s + word < end);
        }
        return column;
}

void text_wrap(struct strbuf *sb, const char *s, size_t indent, size_t width)
{
        size_t column = 0;
        while (*s != '\0') {
                size_t len = strcspn(s, "\n");
                bool verbatim = *s == ' ', empty = len == 0;
                if (column > 0 && (verbatim || empty)) {
                        strbuf_addch(sb, '\n');
                        column = 0;
                }
                if (verbatim) {
                        text_pad(sb, indent);
                        strbuf_add(sb, s, len);
                        strbuf_addch(sb, '\n');
                } else if (empty) {
                        strbuf_addch(sb, '\n');
                } else {
                        column = wrap_line(sb, s, s + len, column, indent, width);
                }
                s += len + (s[len] == '\n');
        }
        if (column > 0)
                strbuf_addch(sb, '\n');
}

void text_log(struct strbuf *sb, const char *data, size_t len)
{
        for (const char *s = data, *end = data + len; s < end;) {
                unsigned char c = (unsigned char)*s;
                if (c == '\n' || c == '\t') {
                        strbuf_addch(sb, (char)c);
                        s++;
                } else if (c == '\r' && s + 1 < end && s[1] == '\n') {
                        s++;
                } else if (c < 0x20 || c == 0x7f) {
                        strbuf_addf(sb, "^%c", c ^ 0x40);
                        s++;
                } else {
                        struct glyph g = next_glyph(&s, end);
                        strbuf_add(sb, g.bytes, g.len);
                }
        }
}

/* PostgreSQL in UTC: 2026-11-20T09:42:11.123456+00:00; the fraction is dropped. */
static bool parse_time(const char *iso, struct tm *tm)
{
        *tm = (struct tm){0};
        const char *rest = strptime(iso, "%Y-%m-%dT%H:%M:%S", tm);
        if (rest == NULL)
                return false;
        if (*rest == '.')
                rest += 1 + strspn(rest + 1, "0123456789");
        return strcmp(rest, "+00:00") == 0 || strcmp(rest, "Z") == 0;
}

int64_t text_time(const char *iso)
{
        struct tm tm;
        return parse_time(iso, &tm) ? (int64_t)timegm(&tm) : -1;
}

void text_clock(struct strbuf *sb, const char *iso)
{
        struct tm tm;
        char clock[32] = "";
        if (parse_time(iso, &tm) && strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", &tm) > 0)
                strbuf_addstr(sb, clock);
        else
                text_clean(sb, iso);
}

void text_duration(struct strbuf *sb, int64_t seconds)
{
        long long s = seconds > 0 ? (long long)seconds : 0;
        if (s < 60)
                strbuf_addf(sb, "%llds", s);
        else if (s < 3600)
                strbuf_addf(sb, "%lldm %02llds", s / 60, s % 60);
        else if (s < 86400)
                strbuf_addf(sb, "%lldh %02lldm", s / 3600, s / 60 % 60);
        else
                strbuf_addf(sb, "%lldd %02lldh", s / 86400, s / 3600 % 24);
}
