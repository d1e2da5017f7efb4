/*
 * sweep.h - the reaper's tick: looks for what the dead have left, one kind after the other, and has the
 * database give it back (J-6 decides what becomes of it). It starts no agent.
 *
 * Every host has a reaper, and all of them look. What is of one host only its own reaper judges by more than
 * silence. What several of them find at once, the first statement takes and the others change nothing:
 * so there is no leader to lose. Each step is bounded; what a tick leaves over, the next one finds.
 */
#pragma once

#include "common/sweeper.h"

/* What common/sweeper.h wants of them. */
int sweep_new(const struct sweep_config *cfg, struct sweep **ret_sweep);
void sweep_free(struct sweep *s);
void sweep_wake(struct sweep *s);                              /* the database is there, or there again */
void sweep_reload(struct sweep *s, const struct options *opt); /* new limits count at once */
void sweep_stop(struct sweep *s);
