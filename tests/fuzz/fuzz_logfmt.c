/*
 * fuzz_logfmt.c - any value of a log field. What is printed must be one line of valid UTF-8 without control
 * characters, and the reader below, which knows the quoting rules only, must get the value back.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
        if (!holds)
                abort();
}

static void check_printable(const struct strbuf *text)
{
        for (size_t i = 0; i < text->len;) {
                uint32_t c;
                size_t n = utf8_decode(text->buf + i, text->len - i, &c);
                must(n > 0 && c >= 0x20 && (c < 0x7F || c > 0x9F) && c != 0x2028 && c != 0x2029);
                i += n;
        }
}

static unsigned read_hex(const char *p, size_t digits)
{
        char text[5] = "";
        memcpy(text, p, digits);
        must(strspn(text, "0123456789abcdef") == digits);
        return (unsigned)strtoul(text, NULL, 16);
}

/* The escapes \uNNNN are of characters below U+0800, and the two line separators. */
static void add_character(struct strbuf *value, unsigned c)
{
        if (c < 0x80) {
                strbuf_addch(value, (char)c);
        } else if (c < 0x800) {
                strbuf_addch(value, (char)(0xC0 | c >> 6));
                strbuf_addch(value, (char)(0x80 | (c & 0x3F)));
        } else {
                must(c == 0x2028 || c == 0x2029);
                strbuf_add(value, c == 0x2028 ? "\xe2\x80\xa8" : "\xe2\x80\xa9", 3);
        }
}

/* Reads the escape at `p`, behind its backslash. Returns the place after it. */
static const char *read_escape(const char *p, struct strbuf *value)
{
        switch (*p) {
        case 'n':
                strbuf_addch(value, '\n');
                return p + 1;
        case 'r':
                strbuf_addch(value, '\r');
                return p + 1;
        case 't':
                strbuf_addch(value, '\t');
                return p + 1;
        case 'x':
                strbuf_addch(value, (char)read_hex(p + 1, 2));
                return p + 3;
        case 'u':
                add_character(value, read_hex(p + 1, 4));
                return p + 5;
        default:
                must(*p == '"' || *p == '\\');
                strbuf_addch(value, *p);
                return p + 1;
        }
}

static void read_value(const char *p, struct strbuf *value)
{
        if (*p != '"') {
                must(*p != '\0' && strpbrk(p, " =\"\\") == NULL);
                strbuf_addstr(value, p);
                return;
        }
        for (p++; *p != '"';) {
                must(*p != '\0');
                if (*p == '\\')
                        p = read_escape(p + 1, value);
                else
                        strbuf_addch(value, *p++);
        }
        must(p[1] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(strbuf_deinit) struct strbuf printed = STRBUF_INIT, value = STRBUF_INIT;
        if (size == 0)
                return 0;
        _cleanup_(freep) char *given = xstrndup((const char *)data, size);
        log_format_field(&printed, &(struct log_field)LF_S("k", given));
        check_printable(&printed);
        must(strncmp(printed.buf, " k=", 3) == 0);
        read_value(printed.buf + 3, &value);
        must(strcmp(value.buf, given) == 0);
        return 0;
}
