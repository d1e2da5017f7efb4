/*
 * launch.h - how one process of a daemon is started: its command line, environment and descriptors
 * (contract.h). Knows nothing of states and restarts.
 *
 * A child gets the supervisor's own arguments, so that file, environment and flags mean the same to both; and
 * the supervisor's environment without what is addressed to the supervisor alone (the service manager's
 * variables). It is a session of its own, so that a Ctrl-C in the supervisor's terminal reaches the
 * supervisor only, which then stops the children in their order.
 */
#pragma once

#include "common/contract.h"
#include "common/proc.h"

struct errinfo;
struct loop;
struct metrics_page;

/* What all children have in common. Everything is borrowed. */
struct launch_plan {
        struct loop *loop;
        const char *bin_dir;
        char *const *args;                       /* the supervisor's, without argv[0]; NULL-terminated */
        int listen_fds[CONTRACT_LISTENER_COUNT]; /* -1: there is none */
        int metrics_fd;
        struct metrics_page *metrics;
};

#define LISTENS(id) (1u << CONTRACT_LISTENER_##id)

struct launch_what {
        const char *daemon;  /* "workerd" */
        const char *program; /* "orch-workerd" */
        unsigned listeners;  /* bits LISTENS(): the listening sockets that it gets */
};

struct launched {
        struct proc *proc;
        int status_fd;    /* our end of the status channel, non-blocking; the caller closes it */
        int metrics_slot; /* the caller folds it when the process has ended */
};

/* 0, or -errno with the reason in `err`; then nothing was started and nothing is left open. */
int launch(const struct launch_plan *plan, const struct launch_what *what, proc_exit_fn *on_exit, void *arg,
           struct launched *ret, struct errinfo *err);
