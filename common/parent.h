/*
 * parent.h - the supervisor as a daemon sees it: the status channel of contract.h. For daemon.c.
 *
 * A daemon started by hand has no supervisor; then there is nobody to tell, and every call does nothing.
 */
#pragma once

#include <stdint.h>

#include "common/contract.h"

struct loop;
struct parent;

/* Finds the channel in the environment and says ALIVE from then on. on_gone: the supervisor has ended; comes
 * once. 0, or -errno when the variable is there and names no such channel. */
int parent_new(struct loop *loop, void (*on_gone)(void *arg), void *arg, struct parent **ret_parent);
void parent_free(struct parent *p);
/* Never blocks: what the channel has no room for is said when it has. */
void parent_say(struct parent *p, enum contract_status_kind kind);
void parent_busy(struct parent *p, uint32_t units); /* goes with each message from now on */
