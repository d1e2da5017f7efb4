/*
 * http_request.c - one request as libcurl sees it, and what its end means for the caller.
 *
 * Whether something may have happened at the other end is decided by whether a byte of the request has left:
 * before that it is "not sent", whatever failed, and after that only a complete answer settles it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http_internal.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/strbuf.h"

#define HEADERS_MAX_BYTES 65536 /* of an answer; libcurl has no limit on their number */
#define LOW_SPEED_S       30
#define CONNECTION_LIFE_S 300

enum place { RUNNING, DONE, DELIVERING };

struct http_request {
        TAILQ_ENTRY(http_request) link;
        struct http_client *client;
        enum place place;
        CURL *easy;
        struct curl_slist *headers;
        void *body;
        struct strbuf answer_body;
        size_t header_bytes;
        bool too_long; /* the answer */
        struct http_answer answer;
        char why[CURL_ERROR_SIZE];
        http_answer_fn *fn;
        void *arg;
};

/* ---- what comes in ---- */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
        struct http_request *r = arg;
        size_t len = size * n;
        if (len > r->client->cfg.max_response_bytes - r->answer_body.len) {
                r->too_long = true;
                return CURL_WRITEFUNC_ERROR;
        }
        strbuf_add(&r->answer_body, data, len);
        return len;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
        static const char name[] = "Retry-After:";
        struct http_request *r = arg;
        size_t len = size * n, name_len = sizeof(name) - 1;
        r->header_bytes += len;
        if (r->header_bytes > HEADERS_MAX_BYTES) {
                r->too_long = true;
                return CURL_WRITEFUNC_ERROR;
        }
        if (len > name_len && strncasecmp(data, name, name_len) == 0)
                r->answer.retry_after_s = http_retry_after(data + name_len, len - name_len, time(NULL));
        return len;
}

/* ---- what goes out ---- */

static void add_header_line(struct http_request *r, const char *line)
{
        struct curl_slist *longer = curl_slist_append(r->headers, line);
        if (longer == NULL)
                abort(); /* out of memory */
        r->headers = longer;
}

static void add_headers(struct http_request *r, const struct http_spec *spec)
{
        bool typed = false;
        for (size_t i = 0; i < spec->n_headers; i++) {
                const struct http_header *h = &spec->headers[i];
                /* For libcurl "Name:" takes a header away, and "Name;" is one without a value. */
                _cleanup_(freep) char *line = h->value[0] != '\0' ? xasprintf("%s: %s", h->name, h->value)
                                                                  : xasprintf("%s;", h->name);
                add_header_line(r, line);
                typed = typed || strcasecmp(h->name, "Content-Type") == 0;
        }
        if (!typed)
                add_header_line(r, "Content-Type:"); /* or libcurl says that a body is a form */
        add_header_line(r, "Expect:");               /* no second round trip, and no waiting for one */
}

static bool has_body(const struct http_spec *spec)
{
        return spec->body_len > 0 ||
               (strcmp(spec->method, "GET") != 0 && strcmp(spec->method, "DELETE") != 0);
}

static bool is_idempotent(const char *method)
{
        return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

static void must(CURLcode code)
{
        if (code != CURLE_OK)
                abort(); /* an option that this libcurl does not have, or no memory */
}

#define SET(r, option, value) must(curl_easy_setopt((r)->easy, CURLOPT_##option, (value)))

static void set_request(struct http_request *r, const struct http_spec *spec)
{
        SET(r, URL, spec->url);
        SET(r, CUSTOMREQUEST, spec->method);
        SET(r, HTTPHEADER, r->headers);
        if (has_body(spec)) {
                SET(r, POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_len);
                SET(r, POSTFIELDS, r->body);
        } else {
                SET(r, HTTPGET, 1L);
                SET(r, CUSTOMREQUEST, spec->method);
        }
        /* On a connection that it used before and that is closed without an answer, libcurl sends again by
         * itself. */
        SET(r, FRESH_CONNECT, is_idempotent(spec->method) ? 0L : 1L);
        SET(r, USERAGENT, "orchestrator");
}

static void set_policy(struct http_request *r, bool plain)
{
        SET(r, PROTOCOLS_STR, plain ? "http" : "https");
        SET(r, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        SET(r, FOLLOWLOCATION, 0L);
        SET(r, DISALLOW_USERNAME_IN_URL, 1L);
        SET(r, PROXY, "");
        SET(r, NETRC, (long)CURL_NETRC_IGNORED);
        SET(r, SSL_VERIFYPEER, 1L);
        SET(r, SSL_VERIFYHOST, 2L);
        SET(r, NOSIGNAL, 1L);
}

static void set_bounds(struct http_request *r, const struct http_client_config *cfg)
{
        SET(r, CONNECTTIMEOUT_MS, (long)cfg->connect_timeout_ms);
        SET(r, TIMEOUT_MS, (long)cfg->total_timeout_ms);
        SET(r, LOW_SPEED_LIMIT, 1L);
        SET(r, LOW_SPEED_TIME, (long)LOW_SPEED_S);
        SET(r, MAXLIFETIME_CONN, (long)CONNECTION_LIFE_S);
}

static void set_callbacks(struct http_request *r)
{
        SET(r, WRITEFUNCTION, on_body);
        SET(r, WRITEDATA, r);
        SET(r, HEADERFUNCTION, on_header);
        SET(r, HEADERDATA, r);
        SET(r, ERRORBUFFER, r->why);
        SET(r, PRIVATE, r);
}

struct http_request *http_request_start(struct http_client *c, const struct http_spec *spec,
                                        http_answer_fn *fn, void *arg, struct errinfo *err)
{
        bool plain;
        assert(fn != NULL);
        if (http_spec_check(spec, c->cfg.allow_plain_hosts, &plain, err) < 0)
                return NULL;
        struct http_request *r = xcalloc(1, sizeof(*r));
        *r = (struct http_request){.client = c,
                                   .place = RUNNING,
                                   .easy = curl_easy_init(),
                                   .answer_body = STRBUF_INIT,
                                   .answer = {.retry_after_s = -1},
                                   .fn = fn,
                                   .arg = arg};
        r->body = xmalloc(spec->body_len);
        if (spec->body_len > 0)
                memcpy(r->body, spec->body, spec->body_len);
        if (r->easy == NULL)
                abort(); /* out of memory */
        add_headers(r, spec);
        set_request(r, spec);
        set_policy(r, plain);
        set_bounds(r, &c->cfg);
        set_callbacks(r);
        TAILQ_INSERT_TAIL(&c->running, r, link);
        if (curl_multi_add_handle(c->multi, r->easy) != CURLM_OK)
                abort(); /* out of memory, or a bug: the handle is new */
        return r;
}

/* ---- the end ---- */

CURL *http_request_easy(const struct http_request *r)
{
        return r->easy;
}

static void explain(struct http_request *r, CURLcode code)
{
        struct errinfo *err = &r->answer.err;
        char name[sizeof(err->code)];
        (void)snprintf(name, sizeof(name), "curl %d", (int)code);
        if (r->too_long)
                err_set(err, HTTP_TOO_LONG,
                        "the answer is longer than allowed: %zu bytes of headers, %zu of body",
                        (size_t)HEADERS_MAX_BYTES, r->client->cfg.max_response_bytes);
        else
                err_set(err, name, "%s", r->why[0] != '\0' ? r->why : curl_easy_strerror(code));
}

void http_request_ended(struct http_request *r, CURLcode code)
{
        long sent_bytes = 0, status = 0;
        must(curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &sent_bytes));
        must(curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status));
        if (code == CURLE_OK) {
                r->answer.outcome = HTTP_ANSWERED;
                r->answer.status = (int)status;
                r->answer.body = &r->answer_body;
        } else {
                r->answer.outcome = sent_bytes > 0 ? HTTP_UNKNOWN : HTTP_NOT_SENT;
                explain(r, code);
        }
        TAILQ_REMOVE(&r->client->running, r, link);
        TAILQ_INSERT_TAIL(&r->client->done, r, link);
        r->place = DONE;
        loop_timer_soon(r->client->soon);
}

void http_request_deliver(struct http_request *r)
{
        TAILQ_REMOVE(&r->client->done, r, link);
        r->place = DELIVERING;
        r->fn(r->arg, &r->answer);
        http_request_free(r);
}

void http_request_free(struct http_request *r)
{
        curl_easy_cleanup(r->easy);
        curl_slist_free_all(r->headers);
        free(r->body);
        strbuf_deinit(&r->answer_body);
        free(r);
}

struct http_request *http_request_next(const struct http_request_list *list)
{
        return TAILQ_FIRST(list);
}

void http_request_cancel(struct http_request *r)
{
        if (r == NULL || r->place == DELIVERING)
                return;
        if (r->place == RUNNING)
                (void)curl_multi_remove_handle(r->client->multi, r->easy); /* it is in there */
        TAILQ_REMOVE(r->place == RUNNING ? &r->client->running : &r->client->done, r, link);
        http_request_free(r);
}
