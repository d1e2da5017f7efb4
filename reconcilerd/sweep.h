/*
 * sweep.h - F-1: at every interval, one bounded look at tasks that stand still although their gate may be
 * green (a lost event, a lost job). The look, the gates and the door are SQL; this is the clock and the
 * counters.
 */
#pragma once

#include <stdint.h>

struct loop;
struct db;
struct sweep;

/* Borrows the loop and the connection. Idle until sweep_wake(). */
struct sweep *sweep_new(struct loop *loop, struct db *db, int64_t interval_ms);
void sweep_free(struct sweep *s);
void sweep_wake(struct sweep *s); /* look now, and from then on at every interval */
void sweep_set_interval(struct sweep *s, int64_t interval_ms);
void sweep_stop(struct sweep *s); /* nothing more is sent */
