/*
 * effect_call.h - one effect as a call of a port: which adapter, which operation, which arguments.
 *
 * The table of operations is here; what to do with an answer is the business of effects.c.
 */
#pragma once

#include <stddef.h>

#include "common/port.h"

struct db;
struct forge;
struct forge_call;
struct git;
struct gitea;
struct gitea_call;
struct http_client;
struct json;
struct loop;
struct notifier;
struct notifier_call;
struct plane;
struct plane_call;
struct tracker;
struct tracker_call;

/* The adapters that live as long as the process does. A forge, and what asks an endpoint, is made per call.
 */
struct effect_ports {
        struct git *git;
        struct http_client *http; /* borrowed; NULL: nothing outside is asked */
        struct tracker *tracker_local;
        struct notifier *notifier_log;
        char *hook_secret_file; /* owned; NULL: no webhook can be made */
};

void effect_ports_init(struct effect_ports *ports, struct loop *loop, struct db *db, struct git *git,
                       struct http_client *http);
void effect_ports_deinit(struct effect_ports *ports);

struct effect_spec {
        const char *port, *kind, *adapter;
        const char *key; /* of the object */
        const char *location, *default_branch;
        const struct json *payload;
        const struct json *endpoint; /* NULL: the adapter is ours */
};

/* A call under way. Zeroed when idle. */
struct effect_call {
        port_answer_fn *fn;
        void *arg;
        struct tracker *tracker; /* borrowed */
        struct tracker_call *tracker_call;
        struct notifier *notifier; /* borrowed, or the same as own_notifier */
        struct notifier *own_notifier;
        struct notifier_call *notifier_call;
        struct plane *plane; /* owned */
        struct plane_call *plane_call;
        char *json;          /* what was answered, or NULL */
        struct gitea *gitea; /* owned */
        struct gitea_call *gitea_call;
        struct forge *forge; /* owned */
        struct forge_call *forge_call;
};

/* 0: the answer comes, once, from the loop. -EINVAL with the reason: no such operation, or its payload lacks
 * something; it never comes. */
int effect_call_start(struct effect_call *call, const struct effect_ports *ports,
                      const struct effect_spec *spec, port_answer_fn *fn, void *arg, struct errinfo *err);
/* No answer comes any more. Also after the answer, to free what is left. */
void effect_call_deinit(struct effect_call *call);
