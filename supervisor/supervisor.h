/*
 * supervisor.h - the one long-lived process of a host: opens the sockets, keeps the daemons running, passes
 * on what signals ask for, and tells the service manager.
 *
 * It does nothing that could hang or grow: no database, no HTTP, no JSON, no names looked up. What can fail
 * is in the daemons, and those it starts again.
 */
#pragma once

struct handover;
struct options;
struct supervisor;

/* argv[1..] is passed on to the daemons; argv and opt are borrowed for the supervisor's life. Takes the
 * host's pid file. With a handover the process was a supervisor before, and goes on with an upgrade: its
 * descriptors are taken. 0, or -errno; the reason is logged. */
int supervisor_new(char *const *argv, const struct options *opt, struct handover *h, struct supervisor **ret);
void supervisor_free(struct supervisor *s);
/* Until every daemon has ended after a signal: 0; -errno when it could not begin, with the reason logged. */
int supervisor_run(struct supervisor *s);
