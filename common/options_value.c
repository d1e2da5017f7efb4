/* options_value.c - the types of options: from text, to text, into the struct and out of it. */
#include "common/options_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conninfo.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"

struct unit {
        const char *name;
        int64_t factor;
};

static const struct unit duration_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                             {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit size_units[] = {
        {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

/* Digits only, at least one: strtoll() would also take blanks. Returns the place after them, or NULL. */
static const char *read_digits(const char *s, int64_t *ret)
{
        int64_t n = 0;
        const char *p = s;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
                        return NULL;
        *ret = n;
        return p > s ? p : NULL;
}

static int parse_integer(const char *s, int64_t *ret)
{
        int64_t n;
        const char *end = read_digits(s + (*s == '-'), &n);
        if (end == NULL || *end != '\0')
                return -EINVAL;
        *ret = *s == '-' ? -n : n;
        return 0;
}

static int parse_with_unit(const char *s, const struct unit *units, int64_t *ret)
{
        int64_t n;
        const char *unit = read_digits(s, &n);
        for (; unit != NULL && units->name != NULL; units++) {
                if (strcmp(unit, units->name) != 0)
                        continue;
                return __builtin_mul_overflow(n, units->factor, ret) ? -EINVAL : 0;
        }
        return -EINVAL;
}

int options_parse_duration(const char *s, int64_t *ret_ms)
{
        int64_t ms;
        int r = parse_with_unit(s, duration_units, &ms);
        if (r == 0)
                *ret_ms = ms;
        return r;
}

int options_parse_size(const char *s, int64_t *ret_bytes)
{
        int64_t bytes;
        int r = parse_with_unit(s, size_units, &bytes);
        if (r == 0)
                *ret_bytes = bytes;
        return r;
}

static int parse_boolean(const char *s, int64_t *ret)
{
        static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                if (strcmp(s, words[i]) == 0) {
                        *ret = i % 2;
                        return 0;
                }
        }
        return -EINVAL;
}

/* With the largest unit that leaves a whole number: 90s, not 1m or 90000ms. */
static void format_with_unit(struct strbuf *sb, const struct unit *units, int64_t n)
{
        const struct unit *u = units;
        for (const struct unit *next = units; next->name != NULL; next++)
                if (n != 0 && n % next->factor == 0)
                        u = next;
        strbuf_addf(sb, "%lld%s", (long long)(n / u->factor), u->name);
}

static void format_string(struct strbuf *sb, const char *s)
{
        size_t len = strlen(s);
        bool plain = len > 0 && s[0] != '"' && s[0] != '\'' && s[0] != '#' && s[0] != ' ' && s[0] != '\t' &&
                     s[len - 1] != ' ' && s[len - 1] != '\t' && strstr(s, " #") == NULL &&
                     strstr(s, "\t#") == NULL;
        if (plain) {
                strbuf_add(sb, s, len);
                return;
        }
        strbuf_addch(sb, '"');
        for (; *s != '\0'; s++) {
                if (*s == '"' || *s == '\\')
                        strbuf_addch(sb, '\\');
                strbuf_addch(sb, *s);
        }
        strbuf_addch(sb, '"');
}

void option_value_format(enum option_type type, const struct option_value *v, struct strbuf *sb)
{
        switch (type) {
        case OPTION_HEADING:
                return;
        case OPTION_STRING:
                format_string(sb, v->text);
                return;
        case OPTION_INT:
                strbuf_addf(sb, "%lld", (long long)v->number);
                return;
        case OPTION_DURATION:
                format_with_unit(sb, duration_units, v->number);
                return;
        case OPTION_SIZE:
                format_with_unit(sb, size_units, v->number);
                return;
        case OPTION_BOOL:
                strbuf_addstr(sb, v->number != 0 ? "true" : "false");
                return;
        }
}

/* A setting is one line, in the file and wherever it is printed. */
static int parse_string(const char *s, struct option_value *ret, struct errinfo *err)
{
        for (const char *p = s; *p != '\0'; p++) {
                if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7F) {
                        err_set(err, NULL, "the value has a control character in it");
                        return -EINVAL;
                }
        }
        ret->text = s;
        return 0;
}

static int check_limits(const struct option_row *row, int64_t number, struct errinfo *err)
{
        if (number >= row->min && number <= row->max)
                return 0;
        _cleanup_(strbuf_deinit) struct strbuf low = STRBUF_INIT, high = STRBUF_INIT;
        option_value_format(row->type, &(struct option_value){.number = row->min}, &low);
        option_value_format(row->type, &(struct option_value){.number = row->max}, &high);
        err_set(err, NULL, "the value must be from %s to %s", low.buf, high.buf);
        return -EINVAL;
}

static int parse_number(enum option_type type, const char *text, int64_t *ret)
{
        switch (type) {
        case OPTION_INT:
                return parse_integer(text, ret);
        case OPTION_DURATION:
                return options_parse_duration(text, ret);
        case OPTION_SIZE:
                return options_parse_size(text, ret);
        case OPTION_BOOL:
                return parse_boolean(text, ret);
        case OPTION_HEADING:
        case OPTION_STRING:
                break;
        }
        return -EINVAL;
}

int option_value_parse(const struct option_row *row, const char *text, struct option_value *ret,
                       struct errinfo *err)
{
        static const char *const wanted[] = {
                [OPTION_INT] = "a whole number",
                [OPTION_DURATION] = "a whole number and a unit, such as 500ms, 10s, 5m or 1h",
                [OPTION_SIZE] = "a whole number and a unit, such as 4096B, 64KiB or 4MiB",
                [OPTION_BOOL] = "true or false",
        };
        struct option_value v = {.text = NULL};
        if (row->type == OPTION_STRING)
                return parse_string(text, ret, err);
        if (parse_number(row->type, text, &v.number) < 0) {
                err_set(err, NULL, "\"%s\" is not %s", text, wanted[row->type]);
                return -EINVAL;
        }
        int r = check_limits(row, v.number, err);
        if (r == 0)
                *ret = v;
        return r;
}

void option_value_show(const struct option_row *row, const struct option_value *v, struct strbuf *sb)
{
        _cleanup_(strbuf_deinit) struct strbuf shown = STRBUF_INIT;
        if (!row->conninfo) {
                option_value_format(row->type, v, sb);
                return;
        }
        conninfo_show(v->text, &shown);
        format_string(sb, shown.buf);
}

bool option_value_equal(enum option_type type, const struct option_value *a, const struct option_value *b)
{
        return type == OPTION_STRING ? strcmp(a->text, b->text) == 0 : a->number == b->number;
}

/* The struct has one field of the row's type at the row's offset: options.h and the table are made from one
 * list. */
void option_value_put(struct options *o, const struct option_row *row, const struct option_value *v)
{
        void *field = (char *)o + row->offset;
        if (row->type == OPTION_STRING)
                *(const char **)field = v->text;
        else if (row->type == OPTION_BOOL)
                *(bool *)field = v->number != 0;
        else
                *(int64_t *)field = v->number;
}

struct option_value option_value_get(const struct options *o, const struct option_row *row)
{
        const void *field = (const char *)o + row->offset;
        struct option_value v = {.text = NULL};
        if (row->type == OPTION_STRING)
                v.text = *(const char *const *)field;
        else if (row->type == OPTION_BOOL)
                v.number = *(const bool *)field;
        else
                v.number = *(const int64_t *)field;
        return v;
}
