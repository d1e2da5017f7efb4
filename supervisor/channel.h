/*
 * channel.h - our end of a status channel (contract.h): reads what the child says and passes on what is well
 * formed.
 *
 * A message is hearsay: it may come late, or from a child that has gone wrong. What to make of it is
 * child.c's.
 */
#pragma once

#include "common/contract.h"

struct channel;
struct loop;

typedef void channel_fn(void *arg, const struct contract_status *status);

/* Takes the descriptor. `name` is borrowed, for the log. Never NULL. */
struct channel *channel_new(struct loop *loop, int fd, const char *name, channel_fn *fn, void *arg);
int channel_fd(const struct channel *ch); /* borrowed */
void channel_free(struct channel *ch);    /* also from inside the callback */
