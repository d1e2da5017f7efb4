/*
 * rest.h - one JSON service that is asked over HTTP with a token: what Plane, Gitea and Telegram have in
 * common.
 *
 * The token is read from its file for each call, so that a replaced one counts at once and none stays in
 * memory. What an answer means in the words of all ports is decided once, by rest_outcome(); an adapter
 * changes that only where its service means something else (reference: the services' own contracts).
 */
#pragma once

#include <stdbool.h>

#include "common/http_client.h"
#include "common/port.h"

struct json;
struct json_out;
struct rest;
struct rest_call;

struct rest_answer {
        struct port_answer port;
        int status;              /* of HTTP; 0: there was no complete answer */
        const struct json *json; /* the body; NULL when it is empty or no JSON. Borrowed */
};

struct rest_config {
        struct http_client *http; /* borrowed */
        const char *url;          /* what every path is appended to: "https://host/api/v1"; copied */
        const char *token_file;   /* its first line is the token; nobody else may read it; copied */
        const char *header;       /* that carries the token: "X-API-Key"; NULL: it belongs into the URL */
        const char *prefix;       /* before the token: "token ", or "/bot" in a URL; copied */
        /* Pure: what this service means by a complete answer, where that is not rest_outcome(), which
         * answer->port.outcome is. NULL: it never is. */
        enum port_outcome (*means)(const struct rest_answer *answer);
};

struct rest *rest_new(const struct rest_config *cfg);
void rest_free(struct rest *rest); /* every call must be gone; NULL is fine */

typedef void rest_answer_fn(void *arg, const struct rest_answer *answer);

/* `path` begins with '/', has what needs it percent-encoded, and may end in a query. `body` is finished and
 * freed here; NULL: none. The answer comes once, from the loop, also when nothing could be sent. */
struct rest_call *rest_start(struct rest *rest, const char *method, const char *path, struct json_out *body,
                             rest_answer_fn *fn, void *arg);
void rest_cancel(struct rest_call *call); /* no callback; what was sent may still happen; NULL is fine */

/* Pure: what a complete answer of this status means for a request of this method. */
enum port_outcome rest_outcome(const char *method, int status);
/* Pure: the reason that an error body gives, in any of the shapes that are known ("message", "error",
 * "detail", "description", or the first field's first word); NULL when it gives none. Borrowed. */
const char *rest_reason(const struct json *body);
/* Appends `text` with everything but letters, digits and "-._~" percent-encoded; `keep` is kept, too. */
struct strbuf;
void rest_encode(struct strbuf *sb, const char *text, const char *keep);
