/*
 * operatord.h - the parts of this daemon put together: the operator port, its gate, the acts and the pages.
 *
 * It is a daemon of its own, so that the process that reads what strangers send holds neither the socket, nor
 * the tokens, nor a connection that can act; and so that this one can do nothing but call orch.http_act() and
 * look. It holds no work and needs no row in orch.process.
 */
#pragma once

#include <stdbool.h>

struct daemon;
struct operatord;
struct options;

int operatord_new(struct daemon *daemon,
                  struct operatord **ret_operatord); /* 0, -errno, or an outcome of daemon.h */
void operatord_free(struct operatord *o);            /* NULL is fine */
/* For daemon_def. */
void operatord_drain(void *operatord, bool quick);
void operatord_reload(void *operatord, const struct options *opt);
