/*
 * json_text.c - judges the bytes of a JSON text before a parser sees them.
 *
 * yajl lets through overlong UTF-8, encoded surrogates, \u0000 and lone surrogate escapes (it turns those
 * into '?'), and takes vertical tab and form feed for blanks. PostgreSQL refuses most of that, and what the
 * two disagree on would be refused again at every retry of an insert. So it ends here.
 */
#include "common/json_doc.h"

#include <errno.h>
#include <string.h>

#include "common/utf8.h"

static int refuse(struct errinfo *err, const char *why, size_t offset)
{
        err_set(err, JSON_REFUSED, "%s at byte %zu", why, offset);
        return -EINVAL;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* The code unit of an escape \uXXXX at `s`, or -1 when there is none. */
static int escaped_unit(const char *s, size_t len)
{
        if (len < 6 || s[0] != '\\' || s[1] != 'u')
                return -1;
        int unit = 0;
        for (size_t i = 2; i < 6; i++) {
                int digit = hex_digit(s[i]);
                if (digit < 0)
                        return -1;
                unit = unit << 4 | digit;
        }
        return unit;
}

static bool is_high_surrogate(int unit)
{
        return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int unit)
{
        return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* How many bytes the escape at `s` takes; 0, with the reason in *ret_why, when it stands for no character. A
 * broken escape, or one outside of a string, is left for the parser to refuse. */
static size_t check_escape(const char *s, size_t len, const char **ret_why)
{
        int unit = escaped_unit(s, len);
        if (unit < 0)
                return 2;
        if (unit == 0) {
                *ret_why = "\\u0000 in a string";
                return 0;
        }
        if (is_high_surrogate(unit) && is_low_surrogate(escaped_unit(s + 6, len - 6)))
                return 12;
        if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
                *ret_why = "half a surrogate pair";
                return 0;
        }
        return 6;
}

static bool is_forbidden_control(char c)
{
        return (unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r';
}

/* Each value but the first of a container follows a comma, and each container but the root is such a value.
 */
static bool may_bring_a_value(char c)
{
        return c == ',' || c == '[' || c == '{';
}

int json_text_check(const char *text, size_t len, struct json_text_facts *ret_facts, struct errinfo *err)
{
        size_t values = 1;
        for (size_t i = 0; i < len;) {
                const char *why = "not valid UTF-8";
                uint32_t code_point;
                size_t n = 1;
                if (text[i] == '\\')
                        n = check_escape(text + i, len - i, &why);
                else if (is_forbidden_control(text[i]))
                        return refuse(err, "a control byte", i);
                else if ((unsigned char)text[i] >= 0x80)
                        n = utf8_decode(text + i, len - i, &code_point);
                if (n == 0)
                        return refuse(err, why, i);
                values += may_bring_a_value(text[i]);
                i += n;
        }
        ret_facts->max_values = values;
        return 0;
}

void json_repair(char *text, size_t len)
{
        static const char replacement[] = {'\\', 'u', 'f', 'f', 'f', 'd'}; /* as long as what it replaces */
        const char *why;
        uint32_t code_point;
        for (size_t i = 0; i < len;) {
                size_t n = 1;
                if (text[i] == '\\') {
                        n = check_escape(text + i, len - i, &why);
                        if (n == 0) {
                                memcpy(text + i, replacement, sizeof(replacement));
                                n = sizeof(replacement);
                        }
                } else if (is_forbidden_control(text[i])) {
                        text[i] = ' ';
                } else if ((unsigned char)text[i] >= 0x80) {
                        n = utf8_decode(text + i, len - i, &code_point);
                        if (n == 0)
                                text[i] = '?';
                        n += n == 0;
                }
                i += n;
        }
}
