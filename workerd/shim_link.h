/*
 * shim_link.h - one end of the talk with an orch-shim (the words: shim/control.h), over a descriptor that its
 * starter shares with it, or over the socket in its run folder.
 *
 * News come from the loop, never from within a call. Whoever sits at the other end is not believed beyond
 * this grammar: a run folder is open to its agent. So what is said ends the link when it makes no sense, and
 * the socket must be a socket of our own user, not a link to another run's.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct loop;
struct shim_link;

#define SHIM_LINK_SOCKET "control" /* its name in the run folder */

enum shim_state { SHIM_RUNNING, SHIM_FROZEN, SHIM_STOPPING, SHIM_ENDED };

enum shim_event {
        SHIM_LINKED,  /* its first word: how things stand. A link of a starter hears it when the agent runs */
        SHIM_STARTED, /* to its starter, after SHIM_LINKED */
        SHIM_CHANGED, /* frozen, running again, or ended: then the status is on disk */
        SHIM_LOCKED_OUT, /* to its starter, instead of SHIM_LINKED: another shim of the job lives */
        /* the last of a link; it is good for shim_link_free() only then */
        SHIM_NOBODY,  /* there is no socket, or nobody listens */
        SHIM_GONE,    /* hung up: the shim has ended, or another link took this one's place */
        SHIM_GARBAGE, /* what is there is no shim of ours, or cannot be reached: errno in `error` */
};

struct shim_news {
        enum shim_event event;
        enum shim_state state; /* from SHIM_LINKED on */
        pid_t agent;           /* from SHIM_LINKED on; 0: it could not be started */
        int error;             /* of SHIM_GARBAGE; EPROTO: it made no sense */
};

/* May free the link. `news` is gone after the call. */
typedef void shim_link_fn(void *arg, const struct shim_news *news);

/* Connects, for as long as it takes: a shim that is stopped answers when it goes on. */
struct shim_link *shim_link_connect(struct loop *loop, const char *run_dir, shim_link_fn *fn, void *arg);
/* Takes the descriptor: a stream socket whose other end is the shim's descriptor 3. */
struct shim_link *shim_link_take(struct loop *loop, int fd, shim_link_fn *fn, void *arg);
/* Hangs up, which the shim does not mind. What was asked for and has not gone out yet is lost. NULL is fine.
 */
void shim_link_free(struct shim_link *l);

/* The process that listens at the socket, as the kernel knows it, and when it was started; also of a shim
 * that is stopped and has never said a word. 0: not connected, or the descriptor was taken. */
pid_t shim_link_peer(const struct shim_link *l, unsigned long long *ret_start);

/* At any time; before the link is up, and while the shim does not read, what waits is the newest renewal and
 * the strongest wish. */
void shim_link_renew(struct shim_link *l, int64_t sent_ms);
void shim_link_shutdown(struct shim_link *l);
void shim_link_cancel(struct shim_link *l);
void shim_link_kill(struct shim_link *l);
