/*
 * listeners.h - the two listening sockets of the host, opened once and inherited by every webhookd, so that a
 * daemon's death or restart refuses nobody a connection.
 *
 * The address may still be taken for a moment: webhookds of a supervisor that was killed hold the old sockets
 * until they have drained. So opening is tried again for LISTENERS_PATIENCE_MS before it is given up.
 */
#pragma once

#define LISTENERS_PATIENCE_MS 10000
#define LISTENERS_RETRY_MS    200

struct errinfo;
struct listeners;
struct loop;

/* Comes once, from the loop: err NULL when both are open, else why not. */
typedef void listeners_fn(void *arg, const struct errinfo *err);

/* Borrows the addresses until the callback has come. Never NULL. */
struct listeners *listeners_new(struct loop *loop, const char *public_address, const char *status_address,
                                listeners_fn *fn, void *arg);
/* The sockets that another program of this process has opened; takes them. Never NULL. */
struct listeners *listeners_take_over(struct loop *loop, int public_fd, int status_fd);
void listeners_free(struct listeners *l);           /* closes them */
int listeners_public_fd(const struct listeners *l); /* -1 until open */
int listeners_status_fd(const struct listeners *l);
