/*
 * status.h - how the run ended, on disk: the file `status` of the run folder. Complete or absent, whatever
 * dies when; once it is there, it is durable. workerd/run_status.h reads it.
 *
 *     outcome=exited|signaled|timeout|stopped|start-failed
 *     code=N           exit code of the agent; -1: it did not exit
 *     signal=N         signal that ended it; 0: none
 *     stop_reason=     wall, start or idle, for outcome=timeout; after-result, cancelled, shutdown, killed,
 *                      abandoned or signal, for outcome=stopped
 *     error=           why the command was not started, for outcome=start-failed
 *     started_ms=N  ended_ms=N   since 1970
 *     log_bytes=N      what the agent wrote, kept or not
 *     survivors=N      processes that could not be killed
 *
 * With survivors the shim stays, and keeps the lock, until they have gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/cascade.h"

#define STATUS_MAX 1024

struct status {
        enum cascade_cause cause;
        bool ended;      /* the agent itself; false: it could not be started, or not be killed */
        int wait_status; /* of the agent, from waitpid(2) */
        int start_error; /* errno of a start that failed, or 0 */
        int64_t started_ms, ended_ms;
        int64_t log_bytes;
        int survivors;
};

/* Pure. Returns the length. */
size_t status_format(const struct status *st, char buf[static STATUS_MAX]);
/* 0 or -errno. */
int status_write(int dir_fd, const struct status *st);
