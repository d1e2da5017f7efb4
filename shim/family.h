/*
 * family.h - everything of the agent: all processes below this one, whatever group or session they are in.
 *
 * What forks or dies meanwhile may be missed: callers walk again, and a death brings them SIGCHLD.
 */
#pragma once

#include "shim/procfs.h"

/* Calls for each living process below this one; false ends the walk. 0 or -errno. */
int family_walk(procfs_fn *fn, void *arg);
