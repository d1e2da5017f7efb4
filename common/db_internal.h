/*
 * db_internal.h - the inside of a db, shared by the files db*.c and by nothing else.
 *
 *     db.c            make, free, and the one place from which the owner's callbacks are called
 *     db_conninfo.c   what is asked of libpq, per host (pure)
 *     db_conn.c       the connection: from disconnected to idle, and its loss
 *     db_statement.c  one statement on the wire: send, read, until the server is ready for the next
 *     db_request.c    the queue, deadlines, and what an answer means for a request
 *     db_result.c     accessors, and what an SQLSTATE asks for (pure)
 *
 * Callbacks never run where something happens: it is noted in `tell` or in `done`, and the timer `soon` calls
 * the owner, once per turn of the loop and as its last act. So a callback may do anything, also free the db.
 */
#pragma once

#include <libpq-fe.h>
#include <sys/queue.h>

#include "common/backoff.h"
#include "common/db.h"

struct loop_io;
struct loop_timer;

/* ---- db_conninfo.c ---- */

/* One way to connect: what PQconnectStartParams() takes. */
struct db_target {
        char **keywords; /* both ended by NULL */
        char **values;
        size_t n;
};

struct db_targets {
        struct db_target *list;
        size_t n; /* one per host; at least one */
};

/* 0; -EINVAL with the reason in `err`. */
int db_targets_init(struct db_targets *t, const struct db_config *cfg, struct errinfo *err);
void db_targets_deinit(struct db_targets *t);
/* NULL when it is not given. */
const char *db_target_get(const struct db_target *t, const char *keyword);

/* ---- the state ---- */

enum db_state {
        DB_DISCONNECTED, /* waits for the next turn of the loop; leaves for connecting */
        DB_CONNECTING, /* waits for libpq's handshake; leaves for preparing; timer: the attempt is given up */
        DB_PREPARING,  /* waits for session settings and LISTEN; leaves for idle; timer: as above */
        DB_IDLE,       /* waits for requests and notifications */
        DB_BUSY,       /* waits for the answer to `current`; leaves for idle; timer: the request's deadline */
        DB_BACKOFF,    /* waits for the timer; leaves for connecting */
};

enum db_tell { DB_TELL_UP = 1, DB_TELL_DOWN = 2, DB_TELL_NOTIFY = 4 };

/* What the statement on the wire has brought so far. */
struct db_answer {
        PGresult *ok;
        PGresult *error; /* the first one: what follows it is libpq's own comment */
        bool broken;     /* the connection is of no more use */
        bool alone;      /* the commit has stopped waiting for a synchronous standby */
};

TAILQ_HEAD(db_request_list, db_request);

struct db {
        struct loop *loop;
        struct db_config cfg; /* the strings are ours */
        struct db_targets targets;
        size_t target;   /* the host that is or was connected to */
        size_t n_failed; /* hosts that failed since the last backoff */

        enum db_state state;
        PGconn *conn;
        struct loop_io *io;
        struct loop_timer *timer; /* of the state */
        struct backoff backoff;
        int64_t retry_ms; /* of the backoff under way, or the last one */
        bool was_up;
        bool said_down; /* in the log, since it was up */
        bool pooled;    /* by something between us and the server: there are no notifications */
        bool counted;   /* in the gauge of connections that are up */
        bool answered;  /* this connection was of use, and has not been given up for its silence */
        int64_t up_since_ms;
        unsigned prepared;         /* steps of preparing that are done */
        struct errinfo last_words; /* what the server said unasked before it closed the connection */

        struct db_answer answer;
        struct db_request *current;   /* on the wire; NULL unless busy */
        struct db_request_list queue; /* not sent */
        struct db_request_list done;  /* answered, not delivered */

        struct loop_timer *soon;
        unsigned tell;
        struct errinfo down_reason;
};

/* ---- db.c ---- */

void db_tell(struct db *db, unsigned what); /* the owner will be called */
void db_set_state(struct db *db, enum db_state state);

/* ---- db_conn.c ---- */

void db_conn_start(struct db *db);
/* The connection is lost or was never made: closes it, and goes on with the next host or a backoff. `current`
 * must have been answered. Works in every state that has a connection, or was about to. */
void db_conn_lost(struct db *db, const struct errinfo *why);
void db_conn_close(struct db *db);
void db_conn_count(struct db *db, bool is_up); /* in the gauge of connections */
void db_conn_on_timer(void *arg);

/* ---- db_statement.c ---- */

/* False: nothing reached the server's executor, see db_statement_error(). */
bool db_statement_send(struct db *db, const char *sql, int n_params, const char *const *params);
/* Takes in what has arrived, and writes on. False: the connection is of no more use. */
bool db_statement_receive(struct db *db);
/* True: `answer` is complete, which without an error in it means committed. */
bool db_statement_read(struct db *db);
void db_answer_clear(struct db_answer *a);
/* What went wrong, in the words of the server, or else of libpq. */
void db_statement_error(const struct db *db, struct errinfo *err);
/* SQLSTATE of the server's error; NULL: there is none, or libpq made it up. */
const char *db_answer_sqlstate(const struct db_answer *a);

/* ---- db_request.c ---- */

struct db_request *db_request_next_done(struct db *db);
void db_request_deliver(struct db_request *req); /* the db may be gone afterwards */
/* Idle, and somebody waits: sends. */
void db_request_pump(struct db *db);
/* `answer` is complete: says what it means for `current`, and for the connection. */
void db_request_settle(struct db *db);
void db_request_drop_all(struct db *db);
