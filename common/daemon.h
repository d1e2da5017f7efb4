/*
 * daemon.h - the skeleton that each daemon's main.c calls: options, log, metrics, loop, signals, the status
 * channel to the supervisor, reload and drain. It has no policy of its own.
 *
 * SIGTERM, or EOF on the status channel: on_drain(quick=false); when drain_timeout is over, at a second
 * SIGTERM, or at any SIGINT: on_drain(quick=true), never without the other before it. The daemon calls
 * daemon_drained() when its work has ended. CONTRACT_SIGNAL_REPLACED is as SIGTERM, and told by
 * daemon_replaced(). SIGHUP: options are read again, then on_reload(); a bad
 * configuration is logged and changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct options;
struct daemon;

struct daemon_def {
        const char *name;    /* "workerd": in logs, metrics and rows */
        const char *summary; /* one line for --help */
        void (*on_drain)(void *arg, bool quick);
        void (*on_reload)(void *arg, const struct options *opt); /* opt is the daemon's now; may be NULL */
        void *arg;
};

enum daemon_outcome {
        DAEMON_OK = 0,
        DAEMON_DONE = 1,   /* --help and the like: printed, nothing more to do */
        DAEMON_CONFIG = 2, /* the configuration or the command line is wrong; logged */
};

/* Parses the command line and sets everything up. 0, -errno, or an outcome that ends the process. */
int daemon_new(int argc, char *const *argv, const struct daemon_def *def, struct daemon **ret_daemon);
void daemon_free(struct daemon *d);
void daemon_set_arg(struct daemon *d, void *arg); /* for on_drain and on_reload */
struct loop *daemon_loop(struct daemon *d);
const struct options *daemon_options(struct daemon *d); /* the pointer changes at a reload: do not keep it */
const char *daemon_name(const struct daemon *d);        /* "workerd" */
const char *daemon_host(struct daemon *d);
bool daemon_draining(const struct daemon *d);
/* Whether it drains because another generation serves in its place, on the same listeners. */
bool daemon_replaced(const struct daemon *d);
/* Says ready to the supervisor, once; later calls do nothing. */
void daemon_ready(struct daemon *d);
/* Units of work in hand, passed on with the next message. */
void daemon_busy(struct daemon *d, uint32_t units);
/* The drain is complete: daemon_run() returns. */
void daemon_drained(struct daemon *d);
int daemon_run(struct daemon *d); /* until drained; 0 or -errno */
/* The exit code (contract.h) for what daemon_new(), daemon_run() or a step between them returned. Logs a
 * negative one. `d` may be NULL. */
int daemon_exit_code(struct daemon *d, int r);
/* An inherited listener named by the contract's environment, else one opened from `address`. fd, or -errno;
 * then the reason has been logged, since the address is part of it. */
int daemon_listener(struct daemon *d, const char *env_name, const char *address);
