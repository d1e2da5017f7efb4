/*
 * status.h - what the status port says: of this process at once, of the suite from bounded snapshots of the
 * database.
 *
 * It has a connection to the database of its own, so that a slow page holds up no delivery. Without the
 * database every page still answers: the process's own pages as always, the others 503 with a problem
 * document.
 */
#pragma once

#include <stdbool.h>

#include "web/routes.h"

struct db;
struct http_conn;
struct loop;
struct status;

struct status_config {
        struct loop *loop;
        struct db *db; /* borrowed */
        bool (*is_draining)(void *arg);
        bool (*is_intake_up)(void *arg); /* whether the connection that deliveries take is up */
        void *arg;
};

struct status *status_new(const struct status_config *cfg);
void status_free(struct status *st); /* every request must have been answered or dropped; NULL is fine */
void status_answer(struct status *st, enum route_target page, struct http_conn *conn);
