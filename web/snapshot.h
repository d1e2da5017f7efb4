/*
 * snapshot.h - the text of one read-only statement, kept for a while.
 *
 * However many ask, one statement is under way at a time and its text serves everyone for a while (a failure
 * for one second): a poller cannot load the database. Who waits is told at the latest after patience_ms; the
 * statement goes on to its own deadline, so that a slow answer still serves those who ask next.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

struct db;
struct db_result;
struct db_statement;
struct loop;
struct snapshot;
struct strbuf;

struct snapshot_config {
        struct loop *loop;
        struct db *db;
        const struct db_statement *statement; /* without parameters */
        int64_t ttl_ms; /* how long it serves, from when it has come, unless keep_ms says it */
        int64_t patience_ms;
        int64_t deadline_ms;
        void (*format)(struct strbuf *text, const struct db_result *res);
        int64_t (*keep_ms)(const struct db_result *res); /* the same, from when it was asked for; or NULL */
};

/* One who waits; embedded in its owner. */
struct snapshot_waiter {
        void (*fn)(void *arg,
                   const struct strbuf *text); /* NULL: there is none; else valid during the call */
        void *arg;
        TAILQ_ENTRY(snapshot_waiter) link;
};

enum snapshot_state {
        SNAPSHOT_FRESH, /* *ret_text is set; borrowed until the loop turns */
        SNAPSHOT_NONE,  /* the database is down, or has just failed to answer */
        SNAPSHOT_STALE, /* ask with snapshot_wait() */
};

struct snapshot *snapshot_new(const struct snapshot_config *cfg);
void snapshot_free(struct snapshot *s); /* nobody may wait; NULL is fine */
enum snapshot_state snapshot_look(const struct snapshot *s, const struct strbuf **ret_text);
void snapshot_wait(struct snapshot *s, struct snapshot_waiter *w);
void snapshot_forget(struct snapshot *s, struct snapshot_waiter *w); /* its fn will not be called */
