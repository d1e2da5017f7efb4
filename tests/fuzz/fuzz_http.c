/*
 * fuzz_http.c - any bytes through the request reader and the routes. However the input is cut, the result is
 * the same; what is accepted is within the limits, holds no control bytes, and gets a route or a known
 * refusal.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "webhookd/delivery_meta.h"
#include "web/http_parse.h"
#include "web/http_reply.h"
#include "web/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUT_ALL_BELOW = 300 };

static void must(bool holds)
{
        if (!holds)
                abort();
}

struct result {
        struct http_parse p;
        enum http_parse_outcome outcome;
        size_t used;
};

/* Feeds pieces of `first`, then of `step` bytes. Each is an exact copy, so that reading beyond it is noticed.
 */
static void parse(struct result *r, const uint8_t *data, size_t size, size_t first, size_t step)
{
        const struct http_parse_limits limits = {.line_bytes = HTTP_LINE_BYTES_MAX,
                                                 .head_bytes = HTTP_HEAD_BYTES_MAX,
                                                 .fields = HTTP_FIELDS_MAX};
        http_parse_init(&r->p, &limits);
        r->outcome = HTTP_PARSE_MORE;
        r->used = 0;
        for (size_t n = first; r->outcome == HTTP_PARSE_MORE && r->used < size; n = step) {
                size_t used;
                if (n > size - r->used)
                        n = size - r->used;
                uint8_t *piece = malloc(n > 0 ? n : 1);
                must(piece != NULL);
                memcpy(piece, data + r->used, n);
                r->outcome = http_parse_feed(&r->p, piece, n, &used);
                must(used == n || r->outcome != HTTP_PARSE_MORE);
                r->used += used;
                free(piece);
        }
}

static void check_same(const uint8_t *data, size_t size, size_t first, size_t step,
                       const struct result *whole)
{
        struct result r;
        parse(&r, data, size, first, step);
        must(r.outcome == whole->outcome && r.used == whole->used && r.p.refusal == whole->p.refusal);
        must(r.p.method == whole->p.method && r.p.minor == whole->p.minor && r.p.path == whole->p.path);
        must(r.p.content_length == whole->p.content_length &&
             r.p.expect_continue == whole->p.expect_continue);
        must(r.p.query == whole->p.query && r.p.n_fields == whole->p.n_fields &&
             r.p.text.len == whole->p.text.len);
        must(memcmp(r.p.text.buf, whole->p.text.buf, r.p.text.len) == 0);
        must(memcmp(r.p.fields, whole->p.fields, sizeof(r.p.fields)) == 0);
        http_parse_deinit(&r.p);
}

static void check_fields(const struct http_parse *p)
{
        for (unsigned i = 0; i < p->n_fields; i++) {
                const char *name = p->text.buf + p->fields[i].name, *found;
                must(name[0] != '\0' && http_parse_field(p, name, &found) >= 1 && found != NULL);
                for (const char *v = p->text.buf + p->fields[i].value; *v != '\0'; v++)
                        must(((unsigned char)*v >= ' ' && *v != 0x7f) || *v == '\t');
        }
        must(http_parse_field(p, "transfer-encoding", NULL) == 0);
        must(http_parse_field(p, "content-length", NULL) <= 1 && http_parse_field(p, "host", NULL) <= 1);
        must(p->minor == 0 || http_parse_field(p, "host", NULL) == 1);
}

static void check_routes(const struct http_parse *p)
{
        for (int listener = ROUTE_PUBLIC; listener <= ROUTE_OPERATOR; listener++) {
                const struct route_rules rules = {.listener = (enum route_listener)listener,
                                                  .max_body_bytes = 1000};
                struct http_reply refusal = {.status = 0};
                const struct route *route = routes_match(&rules, p, &refusal);
                must(route != NULL || http_status_text(refusal.status) != NULL);
                must(route == NULL || p->content_length <= 1000);
        }
}

static void check_accepted(const struct result *r)
{
        struct strbuf json = STRBUF_INIT;
        must(r->used <= HTTP_HEAD_BYTES_MAX && r->p.n_fields <= HTTP_FIELDS_MAX);
        must(http_parse_path(&r->p)[0] == '/' && strchr(http_parse_path(&r->p), '?') == NULL);
        must(r->p.content_length >= -1);
        check_fields(&r->p);
        check_routes(&r->p);
        (void)delivery_id(ROUTE_GITEA, &r->p);
        delivery_headers(&r->p, &json);
        strbuf_deinit(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct result whole;
        parse(&whole, data, size, size, size);
        check_same(data, size, 1, 1, &whole);
        for (size_t cut = 1; cut < size && size < CUT_ALL_BELOW; cut++)
                check_same(data, size, cut, size, &whole);
        check_same(data, size, size / 2, 7, &whole);
        if (whole.outcome == HTTP_PARSE_DONE)
                check_accepted(&whole);
        else
                must(whole.outcome == HTTP_PARSE_MORE || http_refusal_status(whole.p.refusal) >= 400);
        http_parse_deinit(&whole.p);
        return 0;
}
