/*
 * control.h - the socket to workerd: descriptor 3. Shim to workerd: "started PID\n", "locked-out\n",
 * "ended\n" (the status is on disk). Workerd to shim: one byte, 'C' stop because cancelled, 'S' stop because
 * of shutdown. EOF: workerd is gone. Without an open descriptor 3 nobody gives commands, and nobody is
 * missed.
 */
#pragma once

#include "shim/cascade.h"

#define CONTROL_FD 3

/* Makes the descriptor ready for use; the descriptor, or -1 when there is none. */
int control_init(void);
/* A peer that is gone or does not read is no matter of the shim's. */
void control_say(int fd, const char *line);
/* What workerd asks for; CASCADE_CAUSE_NONE: nothing (yet). Sets *ret_eof when there is no more to come. */
enum cascade_cause control_read(int fd, int *ret_eof);
