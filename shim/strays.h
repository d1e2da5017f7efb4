/*
 * strays.h - kills what a killed shim has left behind.
 *
 * Its agent's processes then belong to nobody we know: no pid on disk is believed. They are known by their
 * environment, which they got from workerd: ORCH_TASK_FILE names a file in the run folder; and by the cgroup
 * of the run, where it had one. (Without one, an agent that cleans the environment of a process that it also
 * detaches escapes this; it does not escape a shim that lives.)
 */
#pragma once

#include <stdint.h>

/* 0 when no such process is left; -ETIMEDOUT when some could not be killed in time; or -errno. */
int strays_kill(const char *run_dir, int64_t timeout_ms);
