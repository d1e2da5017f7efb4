/* arguments.c - see arguments.h. */
#include "operatord/arguments.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/utf8.h"

/* The names of the query, each with its value behind it: decoded, terminated. */
struct pairs {
        size_t n;
        struct {
                struct strbuf name, value;
        } list[ARGUMENTS_MAX];
};

static void pairs_free(struct pairs *p)
{
        for (size_t i = 0; i < p->n; i++) {
                strbuf_deinit(&p->list[i].name);
                strbuf_deinit(&p->list[i].value);
        }
        free(p);
}

static void pairs_freep(struct pairs **p)
{
        pairs_free(*p);
}

static int refuse(struct errinfo *err, const char *why)
{
        err_set(err, "", "%s", why);
        return -EINVAL;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_utf8(const struct strbuf *sb)
{
        uint32_t code_point;
        for (size_t at = 0, n; at < sb->len; at += n) {
                n = utf8_decode(sb->buf + at, sb->len - at, &code_point);
                if (n == 0 || code_point == 0)
                        return false;
        }
        return true;
}

static int decode(const char *text, size_t len, struct strbuf *sb, struct errinfo *err)
{
        for (size_t i = 0; i < len; i++) {
                if (text[i] != '%') {
                        strbuf_addch(sb, text[i] == '+' ? ' ' : text[i]);
                        continue;
                }
                int high = i + 2 < len ? hex_digit(text[i + 1]) : -1,
                    low = high < 0 ? -1 : hex_digit(text[i + 2]);
                if (low < 0)
                        return refuse(
                                err, "a percent sign in the query is not followed by two hexadecimal digits");
                strbuf_addch(sb, (char)(high << 4 | low));
                i += 2;
        }
        return is_utf8(sb) ? 0 : refuse(err, "a parameter of the query is not UTF-8, or holds a NUL");
}

/* Narrow enough to be said in an answer. */
static bool is_name(const char *s)
{
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
        return n > 0 && n <= ARGUMENTS_NAME_BYTES && s[n] == '\0';
}

static int check_name(const struct pairs *p, const char *name, struct errinfo *err)
{
        if (!is_name(name))
                return refuse(err,
                              "a parameter's name must be of lower-case letters, digits and underscores");
        for (size_t i = 0; i + 1 < p->n; i++) {
                if (strcmp(p->list[i].name.buf, name) == 0) {
                        err_set(err, "", "the parameter \"%s\" is in the query twice", name);
                        return -EINVAL;
                }
        }
        return 0;
}

static int read_pair(struct pairs *p, const char *text, size_t len, struct errinfo *err)
{
        const char *equals = memchr(text, '=', len);
        if (equals == NULL)
                return refuse(err, "the query must be of pairs: name=value&name=value");
        if (p->n == ARGUMENTS_MAX)
                return refuse(err, "the query has too many parameters");
        struct strbuf *name = &p->list[p->n].name, *value = &p->list[p->n].value;
        *name = *value = (struct strbuf)STRBUF_INIT;
        p->n++;
        int r = decode(text, (size_t)(equals - text), name, err);
        if (r == 0)
                r = check_name(p, name->buf, err);
        if (r == 0)
                r = decode(equals + 1, len - (size_t)(equals + 1 - text), value, err);
        return r;
}

static int read_query(const char *query, struct pairs *p, struct errinfo *err)
{
        int r = 0;
        while (r == 0 && query != NULL && *query != '\0') {
                size_t len = strcspn(query, "&");
                r = read_pair(p, query, len, err);
                query += len;
                if (r == 0 && *query == '&' && *++query == '\0')
                        r = refuse(err, "the query ends in the middle");
        }
        return r;
}

static void write_query(const struct pairs *p, struct strbuf *sb)
{
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        for (size_t i = 0; i < p->n; i++)
                json_out_kstr(j, p->list[i].name.buf, p->list[i].value.buf);
        json_out_object_end(j);
        json_out_finish(j, sb);
        json_out_free(j);
}

static int check_members(const struct json *body, const struct pairs *p, struct errinfo *err)
{
        if (json_type(body) != JSON_OBJECT)
                return refuse(err, "the body must be one JSON object");
        for (size_t i = 0; i < p->n; i++) {
                if (json_get(body, p->list[i].name.buf) != NULL) {
                        err_set(err, "", "the parameter \"%s\" is in the query and in the body",
                                p->list[i].name.buf);
                        return -EINVAL;
                }
        }
        return 0;
}

static int read_body(const char *body, size_t len, const struct pairs *p, struct strbuf *sb,
                     struct errinfo *err)
{
        static const struct json_limits limits = {.max_bytes = ARGUMENTS_BODY_BYTES,
                                                  .max_depth = 8,
                                                  .max_values = 1000,
                                                  .max_key_bytes = ARGUMENTS_NAME_BYTES,
                                                  .max_string_bytes = ARGUMENTS_BODY_BYTES};
        struct json_doc *doc = NULL;
        struct errinfo why = ERRINFO_INIT;
        if (len == 0) {
                strbuf_addstr(sb, "{}");
                return 0;
        }
        if (json_parse(body, len, &limits, &doc, &why) < 0) {
                err_set(err, "", "the body is not acceptable: %s", why.text);
                return -EINVAL;
        }
        int r = check_members(json_root(doc), p, err);
        json_doc_free(doc);
        if (r == 0)
                strbuf_add(sb, body, len);
        return r;
}

int arguments_read(const char *query, const char *body, size_t body_len, struct arguments *ret,
                   struct errinfo *err)
{
        _cleanup_(pairs_freep) struct pairs *p = xcalloc(1, sizeof(*p));
        int r = read_query(query, p, err);
        if (r == 0)
                r = read_body(body, body_len, p, &ret->body, err);
        if (r == 0)
                write_query(p, &ret->query);
        return r;
}

void arguments_deinit(struct arguments *a)
{
        strbuf_deinit(&a->query);
        strbuf_deinit(&a->body);
}
