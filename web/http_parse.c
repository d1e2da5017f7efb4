/*
 * http_parse.c - see http_parse.h. One small function per state; each takes one byte and returns the refusal
 * or none. Text that was accepted so far stands in `text`: method, path, query, version, then name and value
 * of each field, every part terminated. What a field means to the framing is checked as soon as its line has
 * ended.
 */
#include "web/http_parse.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

enum {
        METHOD_BYTES_MAX = 16,
        VERSION_BYTES = 8,          /* "HTTP/1.1" */
        CONTENT_LENGTH_DIGITS = 18, /* what an int64_t always holds */
};

enum state {
        METHOD,
        TARGET,
        VERSION,
        LINE_LF,
        FIELD_START,
        NAME,
        VALUE_START,
        VALUE,
        VALUE_LF,
        HEAD_LF,
        DONE
};

#define X(id, status, name) {status, name},
static const struct {
        int status;
        const char *name;
} refusals[] = {{200, "none"}, HTTP_REFUSALS(X)};
#undef X

int http_refusal_status(enum http_refusal refusal)
{
        return refusals[refusal].status;
}

const char *http_refusal_name(enum http_refusal refusal)
{
        return refusals[refusal].name;
}

/* tchar of RFC 9110, independent of the locale. */
static bool is_token_byte(unsigned char c)
{
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
                return true;
        return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* What a path or a query may hold by RFC 3986; '%' is looked at again when the target is complete. */
static bool is_target_byte(unsigned char c)
{
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
                return true;
        return c != '\0' && strchr("-._~!$&'()*+,;=:@/?%", c) != NULL;
}

/* Ends the part being read; returns its start. */
static const char *end_token(struct http_parse *p)
{
        size_t start = p->token;
        strbuf_addch(&p->text, '\0');
        p->token = p->text.len;
        return p->text.buf + start;
}

static enum http_method method_of(const char *name)
{
        if (strcmp(name, "GET") == 0)
                return HTTP_METHOD_GET;
        if (strcmp(name, "HEAD") == 0)
                return HTTP_METHOD_HEAD;
        if (strcmp(name, "POST") == 0)
                return HTTP_METHOD_POST;
        return HTTP_METHOD_OTHER;
}

static enum http_refusal in_method(struct http_parse *p, unsigned char c)
{
        if (c == ' ') {
                if (p->text.len == 0)
                        return HTTP_REFUSED_METHOD;
                p->method = method_of(end_token(p));
                p->path = (uint16_t)p->token;
                p->state = TARGET;
                return HTTP_REFUSED_NOT;
        }
        if (!is_token_byte(c))
                return HTTP_REFUSED_METHOD;
        if (p->text.len == METHOD_BYTES_MAX)
                return HTTP_REFUSED_METHOD_LONG;
        strbuf_addch(&p->text, (char)c);
        return HTTP_REFUSED_NOT;
}

static bool escapes_ok(const char *s)
{
        for (; (s = strchr(s, '%')) != NULL; s += 3) {
                if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
                        return false;
        }
        return true;
}

static enum http_refusal end_target(struct http_parse *p)
{
        const char *target = end_token(p);
        if (target[0] != '/' || !escapes_ok(target))
                return HTTP_REFUSED_TARGET;
        char *mark = strchr(p->text.buf + p->path, '?');
        if (mark != NULL) {
                *mark = '\0';
                p->query = (uint16_t)(mark + 1 - p->text.buf);
        }
        p->state = VERSION;
        return HTTP_REFUSED_NOT;
}

static enum http_refusal in_target(struct http_parse *p, unsigned char c)
{
        if (c == ' ')
                return end_target(p);
        if (!is_target_byte(c))
                return HTTP_REFUSED_TARGET;
        strbuf_addch(&p->text, (char)c);
        return HTTP_REFUSED_NOT;
}

static enum http_refusal end_version(struct http_parse *p)
{
        const char *v = end_token(p);
        if (strlen(v) != VERSION_BYTES || strncmp(v, "HTTP/", 5) != 0 || !isdigit((unsigned char)v[5]) ||
            v[6] != '.' || !isdigit((unsigned char)v[7]))
                return HTTP_REFUSED_VERSION;
        if (v[5] != '1' || v[7] > '1')
                return HTTP_REFUSED_VERSION_OTHER;
        p->minor = v[7] - '0';
        p->state = LINE_LF;
        return HTTP_REFUSED_NOT;
}

static enum http_refusal in_version(struct http_parse *p, unsigned char c)
{
        if (c == '\r')
                return end_version(p);
        if (c == '\n')
                return HTTP_REFUSED_LINE_END;
        if (c <= ' ' || c >= 0x7f || p->text.len - p->token == VERSION_BYTES)
                return HTTP_REFUSED_VERSION;
        strbuf_addch(&p->text, (char)c);
        return HTTP_REFUSED_NOT;
}

static enum http_refusal in_line_lf(struct http_parse *p, unsigned char c)
{
        if (c != '\n')
                return HTTP_REFUSED_LINE_END;
        p->state = FIELD_START;
        return HTTP_REFUSED_NOT;
}

static enum http_refusal in_name(struct http_parse *p, unsigned char c)
{
        if (c == ':' && p->text.len > p->token) {
                (void)end_token(p);
                p->state = VALUE_START;
                return HTTP_REFUSED_NOT;
        }
        if (!is_token_byte(c))
                return HTTP_REFUSED_FIELD_NAME;
        strbuf_addch(&p->text, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
        return HTTP_REFUSED_NOT;
}

static enum http_refusal in_field_start(struct http_parse *p, unsigned char c)
{
        if (c == '\r') {
                p->state = HEAD_LF;
                return HTTP_REFUSED_NOT;
        }
        if (c == '\n')
                return HTTP_REFUSED_LINE_END;
        if (c == ' ' || c == '\t')
                return HTTP_REFUSED_FOLD;
        if (p->n_fields == p->limits.fields)
                return HTTP_REFUSED_FIELDS_MANY;
        p->fields[p->n_fields].name = (uint16_t)p->token;
        p->state = NAME;
        return in_name(p, c);
}

static enum http_refusal in_value(struct http_parse *p, unsigned char c)
{
        if (c == '\r') {
                p->state = VALUE_LF;
                return HTTP_REFUSED_NOT;
        }
        if (c == '\n')
                return HTTP_REFUSED_LINE_END;
        if ((c < ' ' && c != '\t') || c == 0x7f)
                return HTTP_REFUSED_FIELD_VALUE;
        strbuf_addch(&p->text, (char)c);
        return HTTP_REFUSED_NOT;
}

static enum http_refusal in_value_start(struct http_parse *p, unsigned char c)
{
        if (c == ' ' || c == '\t')
                return HTTP_REFUSED_NOT;
        p->fields[p->n_fields].value = (uint16_t)p->token;
        p->state = VALUE;
        return in_value(p, c);
}

/* "name", "name:port", "[::1]:port". Only what a host name or an address can hold; nothing is looked up. */
static bool host_ok(const char *s)
{
        size_t n;
        if (*s == '[') {
                n = strspn(s + 1, "0123456789abcdefABCDEF:.") + 1;
                if (n == 1 || s[n] != ']')
                        return false;
                n++;
        } else {
                n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~");
                if (n == 0)
                        return false;
        }
        if (s[n] == '\0')
                return true;
        size_t digits = strspn(s + n + 1, "0123456789");
        return s[n] == ':' && digits <= 5 && s[n + 1 + digits] == '\0';
}

static enum http_refusal on_host(struct http_parse *p, const char *value)
{
        if (p->has_host)
                return HTTP_REFUSED_HOST_TWICE;
        p->has_host = true;
        return host_ok(value) ? HTTP_REFUSED_NOT : HTTP_REFUSED_HOST_FORM;
}

static enum http_refusal on_content_length(struct http_parse *p, const char *value)
{
        if (p->content_length >= 0)
                return HTTP_REFUSED_LENGTH_TWICE;
        size_t digits = strspn(value, "0123456789");
        if (digits == 0 || value[digits] != '\0')
                return HTTP_REFUSED_LENGTH_FORM;
        const char *significant = value + strspn(value, "0");
        p->content_length = strlen(significant) > CONTENT_LENGTH_DIGITS ? INT64_MAX : 0;
        for (const char *d = significant; *d != '\0' && p->content_length < INT64_MAX; d++)
                p->content_length = p->content_length * 10 + (*d - '0');
        return HTTP_REFUSED_NOT;
}

/* RFC 9112 lets a server ask for a length instead, and both senders always give one. */
static enum http_refusal on_transfer_encoding(struct http_parse *p, const char *value)
{
        (void)p;
        (void)value;
        return HTTP_REFUSED_TRANSFER_CODING;
}

static enum http_refusal on_expect(struct http_parse *p, const char *value)
{
        if (p->expect_continue || strcasecmp(value, "100-continue") != 0)
                return HTTP_REFUSED_EXPECT;
        p->expect_continue = true;
        return HTTP_REFUSED_NOT;
}

static const struct {
        const char *name;
        enum http_refusal (*fn)(struct http_parse *p, const char *value);
} framing_fields[] = {
        {"host", on_host},
        {"content-length", on_content_length},
        {"transfer-encoding", on_transfer_encoding},
        {"expect", on_expect},
};

static enum http_refusal in_value_lf(struct http_parse *p, unsigned char c)
{
        if (c != '\n')
                return HTTP_REFUSED_LINE_END;
        struct http_field *f = &p->fields[p->n_fields++];
        while (p->text.len > f->value &&
               (p->text.buf[p->text.len - 1] == ' ' || p->text.buf[p->text.len - 1] == '\t'))
                strbuf_remove(&p->text, p->text.len - 1, 1);
        const char *value = end_token(p);
        const char *name = p->text.buf + f->name;
        p->state = FIELD_START;
        for (size_t i = 0; i < ARRAY_SIZE(framing_fields); i++) {
                if (strcmp(name, framing_fields[i].name) == 0)
                        return framing_fields[i].fn(p, value);
        }
        return HTTP_REFUSED_NOT;
}

static enum http_refusal in_head_lf(struct http_parse *p, unsigned char c)
{
        if (c != '\n')
                return HTTP_REFUSED_LINE_END;
        if (!p->has_host && p->minor >= 1)
                return HTTP_REFUSED_HOST_MISSING;
        p->state = DONE;
        return HTTP_REFUSED_NOT;
}

static enum http_refusal take_byte(struct http_parse *p, unsigned char c)
{
        static enum http_refusal (*const steps[])(struct http_parse *, unsigned char) = {
                [METHOD] = in_method,           [TARGET] = in_target,
                [VERSION] = in_version,         [LINE_LF] = in_line_lf,
                [FIELD_START] = in_field_start, [NAME] = in_name,
                [VALUE_START] = in_value_start, [VALUE] = in_value,
                [VALUE_LF] = in_value_lf,       [HEAD_LF] = in_head_lf,
        };
        p->used++;
        if (p->state <= LINE_LF && p->used > p->limits.line_bytes)
                return HTTP_REFUSED_LINE_LONG;
        if (p->used > p->limits.head_bytes)
                return HTTP_REFUSED_HEAD_LONG;
        return steps[p->state](p, c);
}

void http_parse_init(struct http_parse *p, const struct http_parse_limits *limits)
{
        assert(limits->line_bytes <= HTTP_LINE_BYTES_MAX && limits->head_bytes <= HTTP_HEAD_BYTES_MAX);
        assert(limits->fields <= HTTP_FIELDS_MAX);
        *p = (struct http_parse){.limits = *limits, .content_length = -1, .text = STRBUF_INIT};
}

void http_parse_deinit(struct http_parse *p)
{
        strbuf_deinit(&p->text);
}

enum http_parse_outcome http_parse_feed(struct http_parse *p, const void *data, size_t len, size_t *ret_used)
{
        const unsigned char *bytes = data;
        size_t i = 0;
        assert(p->state != DONE);
        while (i < len && p->state != DONE && p->refusal == HTTP_REFUSED_NOT)
                p->refusal = take_byte(p, bytes[i++]);
        *ret_used = i;
        if (p->refusal != HTTP_REFUSED_NOT)
                return HTTP_PARSE_REFUSED;
        return p->state == DONE ? HTTP_PARSE_DONE : HTTP_PARSE_MORE;
}

const char *http_parse_method(const struct http_parse *p)
{
        return p->text.buf; /* the first part */
}

const char *http_parse_path(const struct http_parse *p)
{
        return p->text.buf + p->path;
}

const char *http_parse_query(const struct http_parse *p)
{
        return p->query != 0 ? p->text.buf + p->query : NULL;
}

unsigned http_parse_field(const struct http_parse *p, const char *name, const char **ret_value)
{
        unsigned n = 0;
        const char *value = NULL;
        for (unsigned i = 0; i < p->n_fields; i++) {
                if (strcmp(p->text.buf + p->fields[i].name, name) != 0)
                        continue;
                if (n++ == 0)
                        value = p->text.buf + p->fields[i].value;
        }
        if (ret_value != NULL)
                *ret_value = value;
        return n;
}
