/*
 * http_peer.h - the other end of an HTTP client, on the same loop: reads one request after another and does
 * with each what the test has told it to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/strbuf.h"

struct loop;
struct loop_io;
struct http_peer_conn;

enum http_peer_then {
        PEER_KEEP,    /* waits for the next request */
        PEER_CLOSE,   /* after the answer */
        PEER_ENDLESS, /* repeats the answer for ever */
        PEER_SILENT,  /* says nothing, keeps the connection */
        PEER_SLAM,    /* closes before it has read anything */
};

struct http_peer {
        struct loop *loop;
        int fd;
        struct loop_io *io;
        char url[64]; /* "http://127.0.0.1:PORT" */
        const char *host_port;
        struct http_peer_conn *conns;

        const char *answer;
        enum http_peer_then then;

        size_t n_accepted, n_open, n_open_max, n_requests;
        struct strbuf request; /* the last one, whole */
};

void http_peer_init(struct http_peer *p, struct loop *loop);
void http_peer_deinit(struct http_peer *p);
/* No one listens there any more; the address stays known. */
void http_peer_stop_listening(struct http_peer *p);
