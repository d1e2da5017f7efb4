/* rest.c - see rest.h. */
#include "common/rest.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/secret_file.h"
#include "common/strbuf.h"

#define LIMITED_DEFAULT_S 60 /* when a 429 does not say how long */

struct rest {
        struct http_client *http;
        char *url, *token_file, *header, *prefix;
        enum port_outcome (*means)(const struct rest_answer *answer);
};

struct rest_call {
        const struct rest *rest;
        char *method;
        struct http_request *request; /* NULL: it was not sent, and the timer says so */
        struct loop_timer *timer;
        struct rest_answer answer;
        rest_answer_fn *fn;
        void *arg;
};

static char *copy(const char *s)
{
        return s != NULL ? xstrdup(s) : NULL;
}

struct rest *rest_new(const struct rest_config *cfg)
{
        struct rest *rest = xcalloc(1, sizeof(*rest));
        *rest = (struct rest){.http = cfg->http,
                              .url = xstrdup(cfg->url),
                              .token_file = xstrdup(cfg->token_file),
                              .header = copy(cfg->header),
                              .prefix = xstrdup(cfg->prefix != NULL ? cfg->prefix : ""),
                              .means = cfg->means};
        return rest;
}

void rest_free(struct rest *rest)
{
        if (rest == NULL)
                return;
        free(rest->url);
        free(rest->token_file);
        free(rest->header);
        free(rest->prefix);
        free(rest);
}

/* ---- what an answer means ---- */

enum port_outcome rest_outcome(const char *method, int status)
{
        bool reads = strcmp(method, "GET") == 0;
        if (status >= 200 && status <= 299)
                return PORT_OK;
        switch (status) {
        case 401:
                return PORT_DENIED;
        case 404:
        case 410:
                return PORT_NOT_FOUND;
        case 409:
        case 412:
                return PORT_CONFLICT;
        case 429:
                return PORT_LIMITED;
        default:
                break;
        }
        if (status >= 500 || status == 408)
                return reads ? PORT_UNAVAILABLE : PORT_UNKNOWN; /* it may have failed after the effect */
        return PORT_REFUSED;                                    /* a redirect, too: it is followed nowhere */
}

/* The first text in a value: itself, or that of its first member, a few levels down. */
static const char *first_text(const struct json *v, int depth)
{
        for (; json_str(v) == NULL && depth > 0 && json_len(v) > 0; depth--)
                v = json_at(v, 0);
        return json_str(v);
}

const char *rest_reason(const struct json *body)
{
        static const char *const keys[] = {"message", "description", "error_message",
                                           "error",   "detail",      "Err"};
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                const char *text = first_text(json_get(body, keys[i]), 2);
                if (text != NULL && text[0] != '\0')
                        return text;
        }
        return json_type(body) == JSON_OBJECT ? first_text(body, 3) : NULL;
}

void rest_encode(struct strbuf *sb, const char *text, const char *keep)
{
        static const char hex[] = "0123456789ABCDEF";
        for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
                bool plain = (*c < 0x80 && isalnum(*c)) || strchr("-._~", *c) != NULL;
                if (plain || strchr(keep, *c) != NULL) {
                        strbuf_addch(sb, (char)*c);
                        continue;
                }
                strbuf_addch(sb, '%');
                strbuf_addch(sb, hex[*c >> 4]);
                strbuf_addch(sb, hex[*c & 15]);
        }
}

/* ---- a call ---- */

static void free_call(struct rest_call *call)
{
        loop_timer_free(call->timer);
        free(call->method);
        free(call);
}

static void answer(struct rest_call *call)
{
        struct rest_answer a = call->answer;
        rest_answer_fn *fn = call->fn;
        void *arg = call->arg;
        free_call(call);
        fn(arg, &a);
}

static void on_not_sent(void *arg)
{
        answer(arg);
}

/* Of a question whose answer is not had: the service is away; or it is there, and this answer is too much for
 * us, which is the question's trouble: others are not to wait for it. */
static enum port_outcome without_answer(const struct rest_call *call, const struct errinfo *err)
{
        bool too_much = strcmp(err->code, HTTP_TOO_LONG) == 0 || strcmp(err->code, JSON_REFUSED) == 0;
        return strcmp(call->method, "GET") == 0 && !too_much ? PORT_UNAVAILABLE : PORT_UNKNOWN;
}

static void unanswered(struct rest_call *call, const struct http_answer *res)
{
        call->answer.port.outcome =
                res->outcome == HTTP_NOT_SENT ? PORT_UNAVAILABLE : without_answer(call, &res->err);
        call->answer.port.err = res->err;
}

static void explain(struct rest_call *call, const struct http_answer *res)
{
        char code[sizeof(res->err.code)];
        const char *reason = rest_reason(call->answer.json);
        (void)snprintf(code, sizeof(code), "http %d", res->status);
        err_set(&call->answer.port.err, code, "it answered %d: %s", res->status,
                reason != NULL ? reason : "without a reason");
}

static void answered(struct rest_call *call, const struct http_answer *res, struct json_doc *doc)
{
        struct rest_answer *a = &call->answer;
        a->status = res->status;
        a->json = doc != NULL ? json_root(doc) : NULL;
        a->port.outcome = rest_outcome(call->method, res->status);
        if (call->rest->means != NULL)
                a->port.outcome = call->rest->means(a);
        if (a->port.outcome == PORT_LIMITED)
                a->port.retry_after_s = res->retry_after_s >= 0 ? res->retry_after_s : LIMITED_DEFAULT_S;
        if (a->port.outcome != PORT_OK)
                explain(call, res);
}

/* An answer that says yes and cannot be read: of a question nothing is known; of an act it was done or not.
 */
static void unreadable(struct rest_call *call, const struct errinfo *err)
{
        struct port_answer *port = &call->answer.port;
        if (port->outcome != PORT_OK)
                return;
        port->outcome = without_answer(call, err);
        err_set(&port->err, "", "its answer is no JSON that we read: %s", err->text);
}

static void on_answer(void *arg, const struct http_answer *res)
{
        struct rest_call *call = arg;
        struct json_doc *doc = NULL;
        struct errinfo err = ERRINFO_INIT;
        call->request = NULL;
        if (res->outcome == HTTP_ANSWERED) {
                int r = res->body->len > 0 ? json_parse(res->body->buf, res->body->len, NULL, &doc, &err) : 0;
                answered(call, res, doc);
                if (r < 0)
                        unreadable(call, &err);
        } else {
                unanswered(call, res);
        }
        answer(call);
        json_doc_free(doc);
}

static char *url_of(const struct rest *rest, const char *path, const char *token)
{
        return rest->header == NULL ? xasprintf("%s%s%s%s", rest->url, rest->prefix, token, path)
                                    : xasprintf("%s%s", rest->url, path);
}

static void wipe(char *s)
{
        OPENSSL_cleanse(s, strlen(s));
        free(s);
}

/* PORT_OK: the answer comes. Else nothing was sent, and `err` says why. */
static enum port_outcome send_it(struct rest *rest, struct rest_call *call, const char *path,
                                 const struct strbuf *body, struct errinfo *err)
{
        char *token = NULL;
        int r = secret_file_line(rest->token_file, "token", &token, err);
        if (r < 0)
                return PORT_DENIED;
        char *url = url_of(rest, path, token);
        char *value = xasprintf("%s%s", rest->prefix, token);
        /* the last one only where the token is no part of the URL */
        const struct http_header headers[] = {
                {"Accept", "application/json"}, {"Content-Type", "application/json"}, {rest->header, value}};
        const size_t n_headers = ARRAY_SIZE(headers) - (rest->header == NULL);
        const struct http_spec spec = {.method = call->method,
                                       .url = url,
                                       .headers = headers,
                                       .n_headers = n_headers,
                                       .body = body->buf,
                                       .body_len = body->len};
        call->request = http_request_start(rest->http, &spec, on_answer, call, err);
        wipe(url);
        wipe(value);
        wipe(token);
        return call->request != NULL ? PORT_OK : PORT_REFUSED;
}

struct rest_call *rest_start(struct rest *rest, const char *method, const char *path, struct json_out *body,
                             rest_answer_fn *fn, void *arg)
{
        struct strbuf text = STRBUF_INIT;
        struct rest_call *call = xcalloc(1, sizeof(*call));
        assert(path[0] == '/');
        *call = (struct rest_call){.rest = rest,
                                   .method = xstrdup(method),
                                   .fn = fn,
                                   .arg = arg,
                                   .answer.port.retry_after_s = -1};
        if (body != NULL) {
                json_out_finish(body, &text);
                json_out_free(body);
        }
        call->answer.port.outcome = send_it(rest, call, path, &text, &call->answer.port.err);
        if (call->answer.port.outcome != PORT_OK) {
                call->timer = loop_timer_new(http_client_loop(rest->http), on_not_sent, call);
                loop_timer_soon(call->timer);
        }
        strbuf_deinit(&text);
        return call;
}

void rest_cancel(struct rest_call *call)
{
        if (call == NULL)
                return;
        http_request_cancel(call->request);
        free_call(call);
}
