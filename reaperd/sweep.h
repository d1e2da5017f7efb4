/*
 * sweep.h - the reaper's look at the processes of its host: those proved dead are reported, and the database
 * gives their work back (J-6 decides what becomes of it). It judges this host only, and starts nothing.
 */
#pragma once

#include <stdint.h>

struct loop;
struct db;
struct sweep;

/* Borrows the loop and the connection; the host's name is copied. Idle until sweep_wake(). */
struct sweep *sweep_new(struct loop *loop, struct db *db, const char *host, int64_t interval_ms);
void sweep_free(struct sweep *s);
void sweep_wake(struct sweep *s); /* look now, and from then on at every interval */
void sweep_set_interval(struct sweep *s, int64_t interval_ms);
void sweep_stop(struct sweep *s); /* nothing more is sent */
