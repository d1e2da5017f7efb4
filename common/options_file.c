/* options_file.c - the syntax of the configuration file: lines, comments, quotes. Knows no option. */
#include "common/options_table.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define BLANKS " \t\r"

static int refuse(unsigned line, const char *why, struct errinfo *err)
{
        err_set(err, NULL, "line %u: %s", line, why);
        return -EINVAL;
}

static const char *skip_blanks(const char *p)
{
        return p + strspn(p, BLANKS);
}

static int read_name(const char **p, unsigned line, struct strbuf *name, struct errinfo *err)
{
        size_t len = strspn(*p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
        const char *after = skip_blanks(*p + len);
        if (len == 0)
                return refuse(line, "it does not begin with the name of an option", err);
        if (*after != '=')
                return refuse(line, "the name of an option is not followed by =", err);
        strbuf_add(name, *p, len);
        *p = skip_blanks(after + 1);
        return 0;
}

/* From the opening quote to what follows the closing one, which may only be a comment. */
static int read_quoted(const char *p, unsigned line, struct strbuf *value, struct errinfo *err)
{
        char quote = *p++;
        for (; *p != quote; p++) {
                if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
                        p++;
                if (*p == '\0')
                        return refuse(line, "the closing quote is missing", err);
                strbuf_addch(value, *p);
        }
        p = skip_blanks(p + 1);
        if (*p != '\0' && *p != '#')
                return refuse(line, "something follows the closing quote: quote the whole value", err);
        return 0;
}

/* Up to a comment or the end, without the blanks before it. */
static void read_plain(const char *p, struct strbuf *value)
{
        size_t end = 0;
        for (size_t i = 0; p[i] != '\0'; i++) {
                if (p[i] == '#' && (i == 0 || strchr(BLANKS, p[i - 1]) != NULL))
                        break;
                if (strchr(BLANKS, p[i]) == NULL)
                        end = i + 1;
        }
        strbuf_add(value, p, end);
}

static int parse_line(const char *p, unsigned line, option_setting_fn *fn, void *arg, struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf name = STRBUF_INIT, value = STRBUF_INIT;
        p = skip_blanks(p);
        if (*p == '\0' || *p == '#')
                return 0;
        int r = read_name(&p, line, &name, err);
        if (r < 0)
                return r;
        if (*p == '"' || *p == '\'')
                r = read_quoted(p, line, &value, err);
        else
                read_plain(p, &value);
        return r < 0 ? r : fn(arg, line, name.buf, value.buf, err);
}

int options_file_parse(const char *text, size_t len, option_setting_fn *fn, void *arg, struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf one = STRBUF_INIT;
        unsigned line = 0;
        for (const char *p = text, *end = text + len; p < end;) {
                const char *eol = memchr(p, '\n', (size_t)(end - p));
                size_t n = (size_t)((eol != NULL ? eol : end) - p);
                line++;
                if (memchr(p, '\0', n) != NULL)
                        return refuse(line, "it has a NUL byte in it", err);
                strbuf_reset(&one);
                strbuf_add(&one, p, n);
                int r = parse_line(one.buf, line, fn, arg, err);
                if (r != 0)
                        return r;
                p += n + (eol != NULL);
        }
        return 0;
}
