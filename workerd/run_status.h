/*
 * run_status.h - reads what orch-shim left about a run: its status file and its log (formats: shim/status.h,
 * shim/log.h). Small files on a local disk, so these calls do not go through the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/strbuf.h"

enum run_end {
        RUN_EXITED,   /* by itself: code */
        RUN_SIGNALED, /* by a signal that was not ours: signo */
        RUN_TIMEOUT,  /* a clock was over: stop_reason "wall", "start" or "idle" */
        RUN_STOPPED,  /* stop_reason "after-result", "cancelled", "shutdown", "killed", "abandoned", "signal"
                       */
        RUN_START_FAILED, /* the command was never started: error */
};

struct run_status {
        enum run_end end;
        int code;  /* -1 when it did not exit */
        int signo; /* 0 when no signal ended it */
        char stop_reason[16];
        char error[256];
        int64_t started_ms, ended_ms; /* since 1970 */
        int64_t log_bytes;            /* what the agent wrote, kept or not */
        int survivors;                /* processes that could not be killed */
};

/* 0; -ENOENT: no status, the shim was killed; -EINVAL: not a status file. */
int run_status_read(const char *status_path, struct run_status *ret, struct errinfo *err);
/* Pure. */
int run_status_parse(const char *text, size_t len, struct run_status *ret);
/* Appends the last `max` bytes of the run's log (less what does not begin a line), as valid UTF-8. */
int run_status_log_tail(const char *log_path, size_t max, struct strbuf *sb);
