/*
 * launch.h - starting the supervisor as a process that outlives the command: own session, output to a log
 * file, and its word that it is ready, by the protocol it speaks to a service manager (sd_notify).
 */
#pragma once

#include <sys/types.h>

#include "common/err.h"

struct strbuf;

struct launch {
        pid_t pid;
        int notify_fd; /* where its words arrive */
};

#define LAUNCH_INIT                                                                                          \
        {                                                                                                    \
                .pid = 0, .notify_fd = -1                                                                    \
        }

/* argv[0] is a path. The log's folder must exist; the file is appended to. 0, or -errno with the reason in
 * `err`. */
int launch_start(char *const *argv, const char *log_path, struct launch *ret_launch, struct errinfo *err);
void launch_deinit(struct launch *l); /* the process goes on */

enum launch_event { LAUNCH_NOTHING, LAUNCH_READY, LAUNCH_ENDED };
/* Waits at most `timeout_ms` for news. `status` keeps its last words about itself, or how it ended. */
enum launch_event launch_wait(struct launch *l, int timeout_ms, struct strbuf *status);
