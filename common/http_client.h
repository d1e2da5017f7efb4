/*
 * http_client.h - outbound HTTP: libcurl multi on the loop, one struct per request, cancellable at any time.
 *
 * TLS verified; https only unless the URL's host is allowed plain; no redirects, proxies, netrc or cookies;
 * header values with CR or LF are refused; connect and total timeouts; the answer is bounded by our own
 * counter. Tokens go in headers, never in URLs, argv or logs. Per-host concurrency is bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct loop;
struct http_client;
struct http_request;
struct strbuf;

struct http_client_config {
        int64_t connect_timeout_ms;    /* 5000 */
        int64_t total_timeout_ms;      /* 30000 */
        size_t max_response_bytes;     /* 8 MiB */
        const char *allow_plain_hosts; /* comma-separated "host:port" that may be http://; NULL: none */
};

int http_client_new(struct loop *loop, const struct http_client_config *cfg, struct http_client **ret);
void http_client_free(struct http_client *c); /* running requests end without a callback */

/* Pure. Whether `url` is one that is asked: 0, or -EINVAL with the reason. *ret_plain: it is http://, to a
 * host for which that is allowed. */
int http_url_check(const char *url, const char *allow_plain_hosts, bool *ret_plain, struct errinfo *err);

struct loop *http_client_loop(const struct http_client *c); /* that it was made for */

struct http_header {
        const char *name;
        const char *value;
};

struct http_spec {
        const char *method; /* GET, POST, PATCH, PUT, DELETE */
        const char *url;
        const struct http_header *headers;
        size_t n_headers;
        const void *body;
        size_t body_len;
};

enum http_outcome {
        HTTP_ANSWERED = 0, /* a complete answer, whatever its status */
        HTTP_NOT_SENT,     /* refused by us, or the connection was never made: nothing happened */
        HTTP_UNKNOWN,      /* sent in part or whole, no complete answer: look before repeating */
};

/* Code of the error of an answer that was longer than allowed. */
#define HTTP_TOO_LONG "too long"

struct http_answer {
        enum http_outcome outcome;
        int status;
        const struct strbuf *body;
        int64_t retry_after_s; /* -1: none given */
        struct errinfo err;
};

typedef void http_answer_fn(void *arg, const struct http_answer *answer);
/* NULL with the reason in `err` when the request itself is unacceptable. The spec is copied. */
struct http_request *http_request_start(struct http_client *c, const struct http_spec *spec,
                                        http_answer_fn *fn, void *arg, struct errinfo *err);
void http_request_cancel(struct http_request *r); /* no callback; NULL is fine */
