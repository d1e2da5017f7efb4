/*
 * notify.h - tells the service manager how we are: the sd_notify protocol, which is one datagram of KEY=value
 * lines to the socket named by NOTIFY_SOCKET. Written out here because it is smaller than the library that
 * offers it.
 *
 * Without NOTIFY_SOCKET every call does nothing. A message that cannot be sent is logged and forgotten: the
 * manager's own timeouts decide what its absence means. Never blocks.
 */
#pragma once

#include <stdbool.h>

struct loop;
struct notify;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. With a watchdog asked for, WATCHDOG=1 is sent from the
 * loop twice per period from now on: a loop that hangs is what it is there to find. Never NULL. */
struct notify *notify_new(struct loop *loop);
void notify_free(struct notify *n);

void notify_ready(struct notify *n);
void notify_reloading(struct notify *n); /* to be followed by notify_ready() */
void notify_stopping(struct notify *n);
/* One line for people ("webhookd 2/2, workerd 1/2"); sent only when it has changed. */
void notify_status(struct notify *n, const char *text);
/* Sends lines as they are; false when there is no manager or it could not be reached. */
bool notify_send(struct notify *n, const char *lines);
