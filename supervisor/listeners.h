/*
 * listeners.h - the listening sockets of the host (contract.h), opened once and inherited by the daemons that
 * services.def says, so that a daemon's death or restart refuses nobody a connection.
 *
 * The address may still be taken for a moment: webhookds of a supervisor that was killed hold the old sockets
 * until they have drained. So opening is tried again for LISTENERS_PATIENCE_MS before it is given up.
 */
#pragma once

#include "common/contract.h"

#define LISTENERS_PATIENCE_MS 10000
#define LISTENERS_RETRY_MS    200

struct errinfo;
struct listeners;
struct loop;

/* Comes once, from the loop: err NULL when all are open, else why not. */
typedef void listeners_fn(void *arg, const struct errinfo *err);

/* Borrows the addresses until the callback has come; an empty one is not opened. Never NULL. */
struct listeners *listeners_new(struct loop *loop, const char *const addresses[CONTRACT_LISTENER_COUNT],
                                listeners_fn *fn, void *arg);
/* The sockets that another program of this process has opened; takes them. Never NULL. */
struct listeners *listeners_take_over(struct loop *loop, const int fds[CONTRACT_LISTENER_COUNT]);
void listeners_free(struct listeners *l); /* closes them, and takes away the files of Unix sockets */
int listeners_fd(const struct listeners *l, enum contract_listener which); /* -1 until open, or not in use */
