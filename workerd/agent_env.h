/* agent_env.h - the environment of an agent or of a project's command, built from empty. */
#pragma once

#include "common/argv.h"
#include "common/run_dir.h"
#include "workerd/run_info.h"

/* `path` is PATH; `names` are the variables of ours that are passed on, separated by blanks. A name that
 * could hand over our own means (PG*, ORCH_*, NOTIFY_SOCKET, ...) is left out. */
void agent_env_basic(struct argv *env, const char *path, const char *names);
/* The same, and all that a run is told about its task. */
void agent_env_build(struct argv *env, const struct run_info *info, const struct run_dir *rd,
                     const char *path, const char *names);
