/*
 * sweep.h - F-1: at every interval, one bounded look at tasks that stand still although their gate may be
 * green (a lost event, a lost job). The look, the gates and the door are SQL; this is the clock and the
 * counters.
 */
#pragma once

#include "common/sweeper.h"

/* What common/sweeper.h wants of them. */
int sweep_new(const struct sweep_config *cfg, struct sweep **ret_sweep);
void sweep_free(struct sweep *s);
void sweep_wake(struct sweep *s);
void sweep_reload(struct sweep *s, const struct options *opt); /* from the next interval on */
void sweep_stop(struct sweep *s);
