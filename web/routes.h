/*
 * routes.h - what each listener serves: one table of listener, methods, path and target, and the checks that
 * a head must pass before its body is read. Pure: targets are numbers that the owner of the listener acts
 * upon.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct http_parse;
struct http_reply;

enum route_listener { ROUTE_PUBLIC, ROUTE_STATUS, ROUTE_OPERATOR };

enum route_target {
        /* public: one per source of deliveries */
        ROUTE_GITEA,
        ROUTE_PLANE,
        /* status, and operator */
        ROUTE_HEALTH,
        ROUTE_LIVEZ,
        ROUTE_READYZ,
        ROUTE_SUITE_STATUS,
        ROUTE_QUEUE,
        ROUTE_METRICS,
        /* operator */
        ROUTE_OPENAPI,
        ROUTE_ACT, /* any other path: the database has the list of acts */
};

struct route {
        enum route_listener listener;
        unsigned methods; /* bits of enum http_method; one with POST takes a JSON body, the others none */
        const char
                *path; /* matched exactly, as sent: no other spelling of a path is served; NULL: any other */
        enum route_target target;
};

struct route_rules {
        enum route_listener listener;
        int64_t max_body_bytes;
        /* Whether the target exists in this configuration; NULL: all do. */
        bool (*is_on)(void *arg, enum route_target target);
        void *arg;
};

/* The route that takes this request; or NULL and the answer: 404, 405, 411, 413 or 415. */
const struct route *routes_match(const struct route_rules *rules, const struct http_parse *head,
                                 struct http_reply *ret_refusal);
