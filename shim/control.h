/*
 * control.h - the talk with workerd, over the descriptor 3 that a starting workerd hands over, and over the
 * socket in the run folder to which every later one connects.
 *
 *     shim -> workerd                      workerd -> shim
 *     hello STATE AGENT_PID   first        renew SENT_MS   the run is still yours, as of SENT_MS
 *     started AGENT_PID                    cancel          stop it: the job is cancelled
 *     frozen                               shutdown        stop it: the host shuts down
 *     thawed                               kill            SIGKILL at once: the job is somebody else's
 *     ended       the status is on disk
 *     locked-out  instead of all others
 *
 * STATE is running, frozen, stopping or ended; AGENT_PID is 0 when the agent could not be started. SENT_MS is
 * the CLOCK_BOOTTIME at which the heartbeat was sent that the database has confirmed.
 *
 * One peer at a time: a new one replaces the one before. A peer that says anything else is hung up on, and so
 * is one that does not read what it is told; it may come back, and is then told where things stand. The shim
 * misses nobody: what it does without a peer is in cascade.h. Who may connect is who may enter the run
 * folder.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_FD       3
#define CONTROL_LINE_MAX 64 /* with its newline */

enum control_word { CONTROL_NOTHING, CONTROL_RENEW, CONTROL_CANCEL, CONTROL_SHUTDOWN, CONTROL_KILL };

struct control {
        int peer_fd;   /* -1: none */
        int listen_fd; /* -1: none */
        int dir_fd;    /* borrowed: the run folder */
        const char *name;
        size_t len; /* of what has come of the next lines */
        char line[CONTROL_LINE_MAX];
};
#define CONTROL_INIT                                                                                         \
        {                                                                                                    \
                .peer_fd = -1, .listen_fd = -1                                                               \
        }

/* Descriptor 3 is the first peer, if it is open. */
void control_init(struct control *c);
/* Makes the socket `name` in the folder, for its owner only. `name` is kept. 0 or -errno. */
int control_listen(struct control *c, int dir_fd, const char *name);
/* The socket has become readable. 1: there is a new peer, which wants its hello; 0: none; or -errno: nobody
 * can connect any more. */
int control_accept(struct control *c);
/* Whether the first peer was there and has hung up. */
bool control_is_abandoned(const struct control *c);
/* A line without its newline. Without a peer it is said to nobody. */
void control_say(struct control *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The peer has become readable: reads once, so that a peer that never stops talking holds up nobody. */
void control_read(struct control *c);
/* The next word of what was read. CONTROL_NOTHING: no whole line is left, or there is no peer (any more). */
enum control_word control_next(struct control *c, int64_t *ret_sent_ms);
/* Removes the socket. */
void control_end(struct control *c);

/* Pure: one line without its newline. CONTROL_NOTHING: it is none of the words. */
enum control_word control_parse(const char *line, size_t len, int64_t *ret_sent_ms);
