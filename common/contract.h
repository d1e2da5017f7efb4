/*
 * contract.h - what the supervisor and its children have agreed on. The only header both sides need.
 *
 * Descriptors are inherited and named in the environment; a daemon started by hand finds none of these
 * variables and then has no supervisor: it is ready without saying so, and opens its own listeners and
 * metrics page.
 *
 * The status descriptor is one end of a SOCK_SEQPACKET pair; each message is one struct contract_status. EOF
 * on it means that the supervisor is gone: drain and leave.
 *
 * Signals to a daemon: SIGTERM drain, SIGINT leave now, SIGHUP read the configuration again, and
 * CONTRACT_SIGNAL_REPLACED drain, because another generation serves on the same listeners: so take nothing
 * more from them, not even to say that it drains. A daemon is started with all of them blocked, and lets them
 * through once it hears them: one that comes while the program is still loaded then ends it no other way than
 * one that comes later.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

#define CONTRACT_ENV_STATUS_FD       "ORCH_STATUS_FD"
#define CONTRACT_ENV_METRICS_FD      "ORCH_METRICS_FD"   /* the shared metrics page (memfd) */
#define CONTRACT_ENV_METRICS_SLOT    "ORCH_METRICS_SLOT" /* which slot of it this process writes */
#define CONTRACT_ENV_LISTEN_PUBLIC   "ORCH_LISTEN_PUBLIC_FD"
#define CONTRACT_ENV_LISTEN_STATUS   "ORCH_LISTEN_STATUS_FD"
#define CONTRACT_ENV_LISTEN_OPERATOR "ORCH_LISTEN_OPERATOR_FD"

/* The listening sockets of the host: identifier, name, and the variable that names the descriptor. The option
 * listen_NAME has the address. */
#define CONTRACT_LISTENERS(X)                                                                                \
        X(PUBLIC, public, CONTRACT_ENV_LISTEN_PUBLIC)                                                        \
        X(STATUS, status, CONTRACT_ENV_LISTEN_STATUS)                                                        \
        X(OPERATOR, operator, CONTRACT_ENV_LISTEN_OPERATOR)

enum contract_listener {
#define X(id, name, env) CONTRACT_LISTENER_##id,
        CONTRACT_LISTENERS(X)
#undef X
                CONTRACT_LISTENER_COUNT
};

#define CONTRACT_SIGNAL_REPLACED SIGUSR1

static inline void contract_signals(sigset_t *ret_set)
{
        (void)sigemptyset(ret_set); /* none of these can fail for these signals */
        (void)sigaddset(ret_set, SIGTERM);
        (void)sigaddset(ret_set, SIGINT);
        (void)sigaddset(ret_set, SIGHUP);
        (void)sigaddset(ret_set, CONTRACT_SIGNAL_REPLACED);
}

enum contract_status_kind {
        CONTRACT_READY = 'R',    /* start-up is complete; sent once, and after a reload that succeeded */
        CONTRACT_ALIVE = 'A',    /* the loop turns; at least every CONTRACT_ALIVE_MS */
        CONTRACT_DRAINING = 'D', /* no new work is taken; the process leaves when the present work is done */
};

struct contract_status {
        uint8_t kind;
        uint8_t reserved[3];
        uint32_t busy; /* units of work in hand: requests, jobs */
};

#define CONTRACT_ALIVE_MS      5000
#define CONTRACT_ALIVE_DEAD_MS 30000 /* silent for longer: SIGABRT, then SIGKILL */

/* Exit codes of every program of the suite (orchctl documents the same numbers). */
enum contract_exit {
        EXIT_OK = 0,
        EXIT_FAILED = 1,     /* could not do it; the log or stderr says why */
        EXIT_USAGE = 2,      /* wrong command line */
        EXIT_NOT_READY = 3,  /* reached, but the thing asked about is not (yet) so */
        EXIT_TEMPORARY = 75, /* try again later: database or service unavailable */
        EXIT_CONFIG = 78,    /* the configuration is wrong; starting again will not help */
};
