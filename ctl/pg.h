/*
 * pg.h - one blocking connection to PostgreSQL, which is all that a command needs. The daemons use
 * common/db.h.
 *
 * A failure stays in the connection until the next call: pg_error(), pg_sqlstate(); pg_report() says it and
 * gives the exit code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

#include "common/db.h"
#include "common/err.h"

struct pg;
struct strbuf;

/* 0, or -ECONNREFUSED with the reason in `err`. `user` is for a conninfo that names none. */
int pg_open(const char *conninfo, const char *user, struct pg **ret_pg, struct errinfo *err);
void pg_close(struct pg *pg); /* NULL is fine */

/* The result, or NULL; the caller clears it with PQclear(). */
PGresult *pg_query(struct pg *pg, const struct db_statement *st, const char *const *params);
/* One or more statements without parameters or a result: 0, or -EIO. */
int pg_exec(struct pg *pg, const char *sql);
/* The first cell of the first row, appended; EXIT_OK, or the code of pg_report(). A null appends "null". */
int pg_json(struct pg *pg, const struct db_statement *st, const char *const *params, struct strbuf *sb);

const char *pg_error(const struct pg *pg);    /* one line */
const char *pg_sqlstate(const struct pg *pg); /* "" when the server did not answer */
/* Says the last failure and its hint on standard error; returns the exit code for it. */
int pg_report(const struct pg *pg);
/* Pure: the exit code for an SQLSTATE. */
int pg_exit_code(const char *sqlstate);
/* Pure: the line, from 1, of a character position as PostgreSQL counts it, from 1. */
int pg_line(const char *sql, int position);

bool pg_in_transaction(const struct pg *pg);
/* The server process, as the handshake named it; a pooler names one that does not exist. */
int pg_server_pid(const struct pg *pg);
/* Puts the name of the file, and the line when the server named a position in `sql`, before the last error.
 */
void pg_error_where(struct pg *pg, const char *file, const char *sql);
/* Makes this the last error: the connection answered, but not as it must. */
void pg_fail(struct pg *pg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Waits for a notification, at most so long. Returns whether one came; a lost connection is noticed by the
 * next query. */
bool pg_wait_notify(struct pg *pg, int timeout_ms);
