/*
 * db.h - one asynchronous PostgreSQL connection as a state machine: disconnected, connecting, preparing,
 * idle, busy, backoff.
 *
 * A request is one statement, and so one transaction: what must agree is one SQL function. Requests queue in
 * order and are sent one at a time; while there is no connection they wait, up to their own deadline. After a
 * timeout or a broken protocol the connection is closed, never reused. Statements are sent unnamed (extended
 * protocol), so that a pooler in transaction mode works and nothing has to be prepared again after a
 * reconnect. Behind a pooler nothing is listened to: there are only polls (ADR 11).
 *
 * On reconnect, in this order: new PGconn, session settings, LISTEN, then on_up (the owner scans its tables).
 * Reconnects back off with full jitter (from 0.2 s on, db_set_reconnect_max()). Of several hosts each gets 3
 * s and must be read-write; one that lets a deadline pass makes way for the next. The connection string
 * decides over our defaults: keepalives that notice a silent partition within 15 s, and over TCP to another
 * machine sslmode=verify-full. Give addresses or socket folders: libpq looks names up in the foreground.
 *
 * Serialization failures and deadlocks are tried again inside, up to 5 times within the deadline.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct loop;
struct db;
struct db_request;

/* A named statement, generated from sql/queries/NAME.sql into queries.h as Q_NAME. */
struct db_statement {
        const char *name; /* in logs and metrics */
        const char *sql;
        int n_params;
};

struct db_config {
        const char *conninfo;         /* copied */
        const char *default_user;     /* when conninfo names no user; copied */
        const char *application_name; /* "workerd/host"; copied */
        int64_t statement_timeout_ms; /* set on the session; the request deadline is separate */
        const char *listen_channel;   /* NULL: polls only; copied */
        void (*on_up)(void *arg);     /* connected (again): scan */
        /* Lost, or (all hosts tried) not made; the next attempt follows by itself. */
        void (*on_down)(void *arg, const struct errinfo *err);
        void (*on_notify)(void *arg); /* a hint on listen_channel; several may come as one */
        void *arg;
};

/* Starts connecting. 0; -EINVAL when the connection string is wrong: db_conninfo_check() says how. */
int db_new(struct loop *loop, const struct db_config *cfg, struct db **ret_db);
int db_conninfo_check(const char *conninfo, struct errinfo *err);
void db_free(struct db *db); /* outstanding requests are dropped without a callback */
bool db_is_up(const struct db *db);
/* The longest wait between two attempts, from the next one on; 10 s unless told, and never more. */
void db_set_reconnect_max(struct db *db, int64_t ms);

enum db_outcome {
        DB_OK = 0,
        DB_SQL_ERROR,   /* the server refused it, nothing was done: res->err has SQLSTATE and text */
        DB_UNAVAILABLE, /* never sent, or rolled back by a server that cannot serve now: safe to repeat later
                         */
        DB_UNKNOWN, /* sent, and the answer was lost: read before repeating, or repeat what is idempotent */
};

struct db_result {
        enum db_outcome outcome;
        struct errinfo err;
        const void *pg; /* PGresult; use the accessors */
};

/* Parameters as text; NULL is SQL null. Bytes go as text too: '\x...' hex for bytea (db_bytea_hex()). Copied.
 */
typedef void db_result_fn(void *arg, const struct db_result *res);
struct db_request *db_query(struct db *db, const struct db_statement *st, const char *const *params,
                            int64_t deadline_ms, db_result_fn *fn, void *arg);
/* The callback will not come. A statement already sent still takes effect. NULL is fine. */
void db_request_forget(struct db_request *req);

int db_rows(const struct db_result *res);
/* Cell by column name; NULL when it is SQL null. An unknown column is a bug: abort. Valid during the
 * callback. */
const char *db_text(const struct db_result *res, int row, const char *column);
const char *db_text_or_empty(const struct db_result *res, int row, const char *column); /* "" for null */
int64_t db_int(const struct db_result *res, int row, const char *column, int64_t if_null);
bool db_bool(const struct db_result *res, int row, const char *column); /* null is false */
/* "\x" + hex: the text form of bytea; the caller frees it. */
char *db_bytea_hex(const void *data, size_t len);

/* Pure: what an SQLSTATE asks for. Class 08, 57P0x, 53xxx, 25006: reconnect. 40001, 40P01: retry. Else:
 * neither. */
enum db_advice { DB_ADVICE_NONE, DB_ADVICE_RETRY, DB_ADVICE_RECONNECT };
enum db_advice db_advice(const char *sqlstate);
