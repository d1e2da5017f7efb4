/*
 * http_parse.h - reads the head of one HTTP/1.x request, byte by byte, and refuses whatever is not exactly
 * right.
 *
 * The grammar is a strict subset of RFC 9112: origin-form targets, CRLF line ends, one Host, at most one
 * Content-Length made of digits, no transfer coding, no folding. What two implementations could read
 * differently is refused rather than repaired. Every byte is one step of a state machine, so that the result
 * cannot depend on how the input was cut into packets. The body is not read here: its length is all that the
 * head says about it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/strbuf.h"

#define HTTP_FIELDS_MAX     64
#define HTTP_HEAD_BYTES_MAX 16384
#define HTTP_LINE_BYTES_MAX 2048

enum http_method {
        HTTP_METHOD_OTHER = 0, /* a well-formed method that this server has no use for */
        HTTP_METHOD_GET = 1,
        HTTP_METHOD_HEAD = 2,
        HTTP_METHOD_POST = 4,
};

/* Why a request is refused: identifier, status of the answer, stable name for logs. */
#define HTTP_REFUSALS(X)                                                                                     \
        X(METHOD, 400, "method") /* empty, or not a token followed by one space */                           \
        X(METHOD_LONG, 501, "method-long")                                                                   \
        X(TARGET, 400, "target") /* not origin-form, or a byte that no URI holds */                          \
        X(LINE_LONG, 414, "request-line-long")                                                               \
        X(VERSION, 400, "version")                                                                           \
        X(VERSION_OTHER, 505, "version-other") /* well-formed, but neither 1.0 nor 1.1 */                    \
        X(LINE_END, 400, "line-end")           /* bare CR or bare LF */                                      \
        X(FOLD, 400, "folded-field")           /* a field line that starts with a blank */                   \
        X(FIELD_NAME, 400, "field-name")       /* empty, not a token, or a blank before the colon */         \
        X(FIELD_VALUE, 400, "field-value")     /* NUL or another control byte */                             \
        X(FIELDS_MANY, 431, "fields-many")                                                                   \
        X(HEAD_LONG, 431, "head-long")                                                                       \
        X(HOST_MISSING, 400, "host-missing")                                                                 \
        X(HOST_TWICE, 400, "host-twice")                                                                     \
        X(HOST_FORM, 400, "host-form")                                                                       \
        X(LENGTH_TWICE, 400, "content-length-twice") /* also when both say the same */                       \
        X(LENGTH_FORM, 400, "content-length-form")                                                           \
        X(TRANSFER_CODING, 411, "transfer-coding")                                                           \
        X(EXPECT, 417, "expectation")

enum http_refusal {
        HTTP_REFUSED_NOT = 0,
#define X(id, status, name) HTTP_REFUSED_##id,
        HTTP_REFUSALS(X)
#undef X
};

int http_refusal_status(enum http_refusal refusal);
const char *http_refusal_name(enum http_refusal refusal);

struct http_parse_limits {
        size_t line_bytes; /* request line with its CRLF; at most HTTP_LINE_BYTES_MAX */
        size_t head_bytes; /* everything up to the empty line, with it; at most HTTP_HEAD_BYTES_MAX */
        unsigned fields;   /* at most HTTP_FIELDS_MAX */
};

enum http_parse_outcome {
        HTTP_PARSE_MORE = 0, /* all input was used; the head is not complete */
        HTTP_PARSE_DONE,     /* the head is complete; what was not used belongs to the body */
        HTTP_PARSE_REFUSED,  /* `refusal` says why; nothing more is read */
};

struct http_field {
        uint16_t name, value; /* offsets into `text`, terminated there */
};

/* The owner reads method, minor, content_length, expect_continue and refusal; the rest through the calls
 * below. */
struct http_parse {
        struct http_parse_limits limits;
        enum http_method method;
        enum http_refusal refusal;
        int minor;              /* HTTP/1.minor */
        int64_t content_length; /* -1: none given; larger than any limit when it does not fit */
        bool expect_continue;

        int state;
        size_t used;  /* bytes taken so far */
        size_t token; /* where in `text` the part being read starts */
        bool has_host;
        uint16_t path, query; /* offsets; query 0: none */
        unsigned n_fields;
        struct http_field fields[HTTP_FIELDS_MAX];
        struct strbuf text; /* the accepted parts, each terminated; never holds a NUL of the peer's */
};

void http_parse_init(struct http_parse *p, const struct http_parse_limits *limits);
void http_parse_deinit(struct http_parse *p);
/* Takes bytes until the head is complete, refused, or the input is at its end. Not to be called after DONE.
 */
enum http_parse_outcome http_parse_feed(struct http_parse *p, const void *data, size_t len, size_t *ret_used);

/* After HTTP_PARSE_DONE; strings are borrowed from the parser. The path is as sent: nothing is decoded. */
const char *http_parse_method(const struct http_parse *p); /* as sent, also when it is HTTP_METHOD_OTHER */
const char *http_parse_path(const struct http_parse *p);
const char *http_parse_query(const struct http_parse *p); /* without the '?'; NULL when there is none */
/* How often a field occurs; `name` in lower case. `ret_value` (may be NULL) is set to the first, NULL when
 * none. */
unsigned http_parse_field(const struct http_parse *p, const char *name, const char **ret_value);
