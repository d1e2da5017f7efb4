/*
 * http_conn.h - one connection of a listener: one request, one answer, closed.
 *
 * It owns its socket and the request. Deadlines are totals, counted from accept, not idle timers: a byte now
 * and then buys no time. A request that misses its deadline is closed without an answer, because Plane
 * repeats only what was never answered.
 *
 * The owner of a route gets the request through the two callbacks of http_conn_config and ends it by exactly
 * one call of http_conn_reply() or http_conn_drop(), during the callback or later. Between, http_conn_hold()
 * says whom to tell when the connection ends first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "web/http_parse.h"

struct budget;
struct http_conn;
struct http_reply;
struct loop;
struct peer;
struct route;
struct strbuf;

struct http_limits {
        struct http_parse_limits head;
        int64_t header_ms;  /* from accept to the end of the head */
        int64_t request_ms; /* from accept to the end of the body */
        int64_t write_ms;   /* for the answer */
        unsigned connections;
        unsigned per_peer;
};

/* Shared by all connections of a listener, and borrowed by them. */
struct http_conn_config {
        struct loop *loop;
        const struct http_limits *limits; /* may change between two requests */
        struct budget *budget;
        /* The head is complete: true when its body is wanted, else it has been answered. The content length,
         * if there is one, must have been found acceptable. */
        bool (*on_head)(void *arg, struct http_conn *c);
        void (*on_request)(void *arg, struct http_conn *c); /* the body is complete */
        void *arg;
};

/* Takes the descriptor, copies `peer`. on_closed is the last call, with the connection already
 * ended. */
struct http_conn *http_conn_new(const struct http_conn_config *cfg, int fd, const struct peer *peer,
                                void (*on_closed)(void *owner), void *owner);
const char *http_conn_peer(const struct http_conn *c); /* for logs */
const struct peer *http_conn_peer_id(const struct http_conn *c);
const struct http_parse *http_conn_head(const struct http_conn *c);
const struct strbuf *http_conn_body(const struct http_conn *c);
/* What on_head found out, for on_request. */
void http_conn_set_route(struct http_conn *c, const struct route *route);
const struct route *http_conn_route(const struct http_conn *c);

/* Until it is answered or dropped by the holder: on_gone says that the connection has ended by itself. */
void http_conn_hold(struct http_conn *c, void (*on_gone)(void *arg), void *arg);
/* Sends the answer and closes. Frees the body at once; the connection lives on until all is sent. */
void http_conn_reply(struct http_conn *c, const struct http_reply *reply);
/* Closes now, without an answer; for who holds the request. Frees the connection. */
void http_conn_drop(struct http_conn *c);
/* The same for the owner of the listener: whoever holds the request is told. */
void http_conn_abort(struct http_conn *c);
