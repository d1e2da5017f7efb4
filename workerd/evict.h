/*
 * evict.h - kills the agents of other claims of a job on this host.
 *
 * Whoever holds a claim knows that every other claim of the same job is over. A run of such a claim may live
 * on: its worker died, and its shim waits, frozen, for a renewal that nobody may give. It holds the job's
 * lock and so would keep the new run out. Nothing is waited for here: when it has gone, the lock is free.
 */
#pragma once

#include <stdint.h>

struct evict;
struct loop;

/* Tells the shims in the folders STATE/runs/JOB-* to kill, but for that of `epoch`. */
struct evict *evict_others(struct loop *loop, const char *state_dir, int64_t job, int64_t epoch);
void evict_free(struct evict *e); /* NULL is fine */
