/*
 * reap.h - collects and signals what belongs to the agent.
 *
 * The shim is the subreaper: whatever escapes the agent's group becomes a child of the shim as soon as its
 * parent dies. So signalling the group and our own children, again after each death, reaches everything in
 * the end; SIGKILL goes to all descendants at once. The group is signalled only while a child of ours, or one
 * that we have not collected, is in it: such a number cannot have been given to anybody else.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct reap {
        pid_t leader; /* the agent itself; its group has the same number */
        bool leader_gone;
        int leader_status;  /* from waitpid(2) */
        pid_t had_term[64]; /* who has had SIGTERM; beyond this bound some get it twice, which is harmless */
        unsigned n_had_term;
};

enum reap_seen {
        REAP_NOTHING,   /* nobody ended */
        REAP_SOME,      /* somebody did */
        REAP_LEADER,    /* the agent itself did (others may have too) */
        REAP_NONE_LEFT, /* and there are no children any more */
};

/* Collects all that have ended. */
enum reap_seen reap_collect(struct reap *r);
/* SIGTERM (and SIGCONT, so that a stopped process can act on it) to those who have not had it. */
void reap_term(struct reap *r);
/* SIGKILL to all; returns how many there were. */
int reap_kill(struct reap *r);
