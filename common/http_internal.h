/*
 * http_internal.h - the inside of the HTTP client, shared by the files http_*.c here and by nothing else.
 *
 *     http_client.c   libcurl's multi handle on the loop: sockets, its one timer, what has finished
 *     http_request.c  one request: libcurl's options, the bounds, what its end means, the callback
 *     http_spec.c     whether a request is one that we send; Retry-After (pure)
 */
#pragma once

#include <curl/curl.h>
#include <sys/queue.h>
#include <time.h>

#include "common/http_client.h"

struct loop_timer;

/* ---- http_spec.c ---- */

/* 0; -EINVAL with the reason in `err`. *ret_plain: the URL is http://, to a host for which that is allowed.
 */
int http_spec_check(const struct http_spec *spec, const char *allow_plain_hosts, bool *ret_plain,
                    struct errinfo *err);
/* Seconds to wait, at most a day; -1 when the value is neither a number nor a date. */
int64_t http_retry_after(const char *value, size_t len, time_t now);

/* ---- http_client.c ---- */

TAILQ_HEAD(http_request_list, http_request);

struct http_client {
        struct loop *loop;
        struct http_client_config cfg; /* allow_plain_hosts is ours */
        CURLM *multi;
        struct loop_timer *timer;         /* libcurl's */
        struct loop_timer *soon;          /* calls the owners of what is done, one per turn */
        struct http_request_list running; /* in the multi handle */
        struct http_request_list done;    /* not delivered */
};

/* ---- http_request.c ---- */

CURL *http_request_easy(const struct http_request *r);
/* It has left the multi handle; goes from `running` to `done`. */
void http_request_ended(struct http_request *r, CURLcode code);
/* Takes it from `done` and calls its owner; the client may be gone afterwards. */
void http_request_deliver(struct http_request *r);
void http_request_free(struct http_request *r);
struct http_request *http_request_next(const struct http_request_list *list);
