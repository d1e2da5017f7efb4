/*
 * pruner.h - runs the configured command that prunes build caches, on an interval.
 *
 * Never two at once on a host: a lock file, which the command inherits, lasts as long as anything of it
 * lives. Never without an age filter: prune_command(). The lock file's time says when the last run began, so
 * that restarts make it run no oftener. A failure is one alert until a run has ended well.
 */
#pragma once

#include "common/sweeper.h"

struct pruner;

struct pruner *pruner_new(const struct sweep_config *cfg);
void pruner_free(struct pruner *p); /* NULL is fine */
void pruner_wake(struct pruner *p); /* our row lives */
void pruner_reload(struct pruner *p, const struct options *opt);
void pruner_stop(struct pruner *p); /* kills what runs */
