/*
 * supervisor_internal.h - what supervisor.c and upgrade.c share. Not for others.
 */
#pragma once

#include <stdbool.h>

#include "supervisor/supervisor.h"

struct listeners;
struct loop;
struct loop_signal;
struct metrics_page;
struct notify;
struct suite;
struct upgrade;

#define SUPERVISOR_SIGNALS 4

struct supervisor {
        char *const *argv;
        const struct options *opt; /* as at the start: what needs a restart has these values to the end */
        char *bin_dir;
        int pid_fd;
        struct loop *loop;
        struct loop_signal *signals[SUPERVISOR_SIGNALS];
        struct metrics_page *metrics;
        int metrics_fd;
        int metrics_slot;
        struct notify *notify;
        struct listeners *listeners;
        struct suite *suite; /* NULL until the listeners are open */
        bool ready;          /* and the service manager has been told so */
        bool stopping;       /* a signal has said so; the next one means: now */
        int result;
        struct upgrade *upgrade;
};

/* SIGTERM and the others of ours: blocked while the process has no handlers for them. */
void supervisor_block_signals(bool block);
