/*
 * intake.h - signed deliveries, stored before they are acknowledged.
 *
 * The body is bytes: what it says is nobody's business here. A delivery is answered 202 once its row is
 * committed, 200 when an equal one was stored before. One that cannot be stored, or of which that is not
 * known, gets what makes its sender useful: Gitea never repeats, so 503, which its page of deliveries shows;
 * Plane repeats only what was never answered, so the connection is closed. Storing twice what was stored is a
 * duplicate, and harmless.
 */
#pragma once

#include <stdint.h>

#include "web/routes.h"

struct db;
struct http_conn;
struct intake;
struct loop;
struct signature_keys;

struct intake_config {
        int64_t timeout_ms;                      /* from the end of the request to its answer */
        const struct signature_keys *gitea_keys; /* borrowed; NULL: the route does not exist */
        const struct signature_keys *plane_keys;
};

struct intake *intake_new(struct loop *loop, struct db *db);
void intake_free(struct intake *in); /* every delivery must have been answered or dropped; NULL is fine */
void intake_configure(struct intake *in, const struct intake_config *cfg);
/* Whether the source has a secret. */
bool intake_is_on(const struct intake *in, enum route_target source);
/* Takes a complete request and answers or drops it, sooner or later. */
void intake_accept(struct intake *in, enum route_target source, struct http_conn *conn);
