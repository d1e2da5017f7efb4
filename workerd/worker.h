/*
 * worker.h - one workerd: its row, its jobs, its share of the inbox and the outbox.
 *
 * The beat is the poll: its answer says what there is to do, and a NOTIFY only asks for a beat at once. A job
 * takes a slot from its claim until its end is recorded and cleaned up, so that agents are never prefetched.
 *
 * Draining, no work is taken, short steps are ended, and agents that run are let go: they live on under their
 * shims, and whoever comes next adopts them. A quick drain ends no step. Fenced - taken for dead by another -
 * everything is killed and nothing written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db;
struct loop;
struct options;
struct worker;

struct worker_config {
        struct loop *loop;
        struct db *db;
        const struct options *opt; /* until worker_reload() */
        const char *host;          /* name of this host; copied */
        void (*on_ready)(void *arg);
        void (*on_busy)(void *arg, unsigned jobs);
        void (*on_gone)(void *arg, bool fenced); /* nothing is left to do: end the process */
        void *arg;
};

int worker_new(const struct worker_config *cfg, struct worker **ret_worker); /* 0 or -errno */
void worker_free(struct worker *w);
void worker_up(struct worker *w);   /* the database is there (again) */
void worker_hint(struct worker *w); /* NOTIFY */
void worker_drain(struct worker *w, bool quick);
void worker_reload(struct worker *w, const struct options *opt);
