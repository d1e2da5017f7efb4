/* agent.h - starts the agent: a session and group of its own, clean signals, nothing inherited but 0, 1
 * and 2. */
#pragma once

#include <sys/types.h>

#include "shim/args.h"

struct freeze;

/* Standard output and standard error are `output_fd`; the environment is ours. 0, or the errno (negative) of
 * the step that failed, exec included: then there is no process. */
int agent_start(const struct args *args, const struct freeze *freeze, int output_fd, pid_t *ret_pid);
