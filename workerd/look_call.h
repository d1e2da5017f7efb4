/*
 * look_call.h - one look as a question to an adapter. The table of questions is here; what to do with an
 * answer is the business of looks.c, and what follows from it the database's.
 */
#pragma once

#include <stdbool.h>

#include "common/port.h"

struct gitea;
struct gitea_call;
struct http_client;
struct json;
struct plane;
struct plane_call;

struct look_spec {
        const char *adapter, *kind, *object;
        unsigned parts; /* of an item: enum plane_parts */
        const struct json *endpoint;
};

/* A question under way. Zeroed when idle. */
struct look_call {
        port_json_fn *fn;
        void *arg;
        struct plane *plane; /* owned */
        struct plane_call *plane_call;
        struct gitea *gitea; /* owned */
        struct gitea_call *gitea_call;
};

/* 0: the answer comes, once, from the loop. -EINVAL with the reason: there is no such question; it never
 * comes. */
int look_call_start(struct look_call *call, struct http_client *http, const struct look_spec *spec,
                    port_json_fn *fn, void *arg, struct errinfo *err);
/* No answer comes any more. Also after the answer, to free what is left. */
void look_call_deinit(struct look_call *call);
