/*
 * http_reply.h - the text of an answer. Nothing that the peer sent is ever repeated in one.
 *
 * Every answer carries Date, Content-Length and Connection: close. An answer without a body of its own, and
 * every error, gets a short problem document (RFC 9457) that is made from the status alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct strbuf;

struct http_reply {
        int status;
        const char *content_type; /* of `body`; NULL: application/json */
        const char *body;         /* NULL: a problem document */
        size_t body_len;
        const char *detail;    /* one constant sentence for the problem document, or NULL */
        const char *allow;     /* with 405 */
        const char *challenge; /* with 401; NULL: that of the signed deliveries */
        int retry_after_s;     /* 0: none */
};

const char *http_status_text(int status); /* NULL: not a status that this server gives */
/* Appends the whole answer; the body is left out, and still counted, when `head_only`. */
void http_reply_write(struct strbuf *sb, const struct http_reply *reply, bool head_only, time_t now);
