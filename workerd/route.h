/*
 * route.h - what a delivery is about: pure functions from headers and body to (key, kind, project, object,
 * facts).
 *
 * An event only says "look at X". Routing finds X, so that events about one X are handled in order, and notes
 * the few facts that save a look; it decides nothing. What is well-formed but of no concern gets the kind
 * "ignored": senders add kinds at will. Only a body that lacks what its own kind promises is malformed.
 */
#pragma once

#include "common/err.h"
#include "common/strbuf.h"

struct json;
struct json_out;

/* Longest project or object, in bytes; longer ones cannot be names of ours and would not fit an index. */
#define ROUTE_NAME_MAX 512

struct route {
        char *key;  /* events with the same key are handled in order */
        char *kind; /* "tracker.item", "forge.push", ..., "ignored" */
        char *project;
        char *object;        /* may be NULL */
        struct strbuf facts; /* one JSON object */
};

#define ROUTE_INIT                                                                                           \
        {                                                                                                    \
                .facts = STRBUF_INIT                                                                         \
        }

void route_deinit(struct route *r);

enum route_outcome {
        ROUTE_OK = 0,
        ROUTE_MALFORMED = 1, /* err says what is missing or wrong */
};

/* `headers` is the stored object of header names and values, in any case; NULL is fine. `ret` is an
 * initialised route; it is filled on ROUTE_OK only. */
typedef int route_fn(const struct json *headers, const struct json *body, struct route *ret,
                     struct errinfo *err);
route_fn route_gitea;
route_fn route_plane;
route_fn route_local;
/* By the inbox's source ("gitea", "plane", "local"); an unknown one is ignored. Requires the body to be an
 * object. */
int route_event(const char *source, const struct json *headers, const struct json *body, struct route *ret,
                struct errinfo *err);

/* The rest is for the routers. */
const char *route_header(const struct json *headers, const char *name);
/* Fills `ret`, taking the open facts (freed in any case; NULL: none). Names that are too long are malformed.
 */
int route_set(struct route *ret, const char *source, const char *kind, const char *project,
              const char *object, struct json_out *facts, struct errinfo *err);
int route_ignored(struct route *ret, const char *source, const char *project);
/* An open object for facts; a string that is absent or longer than ROUTE_NAME_MAX is left out. */
struct json_out *route_facts_new(void);
void route_fact(struct json_out *facts, const char *name, const char *value);
void route_fact_int(struct json_out *facts, const char *name, const struct json *value);
void route_fact_bool(struct json_out *facts, const char *name, const struct json *value);
