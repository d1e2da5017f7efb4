/*
 * webhookd.h - the parts of this daemon put together: two listeners, intake, status pages, and the process's
 * row.
 *
 * It starts serving before the database is there, and says ready when the first attempt to connect has been
 * decided either way: without a database it still answers /livez and turns deliveries away as their senders
 * need it.
 */
#pragma once

#include <stdbool.h>

struct daemon;
struct options;
struct webhookd;

int webhookd_new(struct daemon *daemon,
                 struct webhookd **ret_webhookd); /* 0, -errno, or an outcome of daemon.h */
void webhookd_free(struct webhookd *w);           /* NULL is fine */
/* For daemon_def. */
void webhookd_drain(void *webhookd, bool quick);
void webhookd_reload(void *webhookd, const struct options *opt);
