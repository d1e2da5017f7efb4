/*
 * server.h - one listener: accepts on an inherited descriptor, within limits, and ends what it has accepted.
 *
 * At the limit of connections it stops accepting, so that what comes next waits in the kernel's queue or is
 * taken by a sibling process. A peer beyond its own share is closed without an answer, as is one connection
 * when the process has run out of descriptors: both are what Plane repeats.
 */
#pragma once

#include "web/http_conn.h"

struct http_server;

struct http_server_config {
        const char *name; /* in logs; borrowed */
        int fd;           /* listening, non-blocking; taken */
        struct http_conn_config conn;
        void (*on_change)(void *arg); /* the number of open connections has changed */
        void *arg;
};

/* 0 or -errno. Accepts nothing yet. */
int http_server_new(const struct http_server_config *cfg, struct http_server **ret_server);
/* From now on it accepts; again: nothing. */
void http_server_begin(struct http_server *s);
void http_server_free(struct http_server *s); /* ends every connection; NULL is fine */
unsigned http_server_open(const struct http_server *s);
/* Accepts nothing more; the connections that are open go on to their end. */
void http_server_stop(struct http_server *s);
/* Ends every connection without an answer. */
void http_server_drop_all(struct http_server *s);
/* The limits have changed: perhaps accepting may go on. */
void http_server_recheck(struct http_server *s);
