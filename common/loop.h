/*
 * loop.h - the event loop: libevent behind timers, descriptors and signals, with a clock that tests can set.
 *
 * One thread, one loop per process, made after exec. Callbacks run from loop_run() only: a completion never
 * runs before the call that started it has returned. Objects may free themselves, or each other, inside a
 * callback.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;

int loop_new(struct loop **ret_loop); /* 0 or -errno; ignores SIGPIPE too: write() says that a peer is gone */
void loop_free(struct loop *loop);    /* every timer, io and signal must be gone */
int loop_run(struct loop *loop);      /* until loop_stop(); 0 or -errno */
void loop_stop(struct loop *loop);
struct event_base *loop_base(struct loop *loop); /* for libevent's listeners and bufferevents */

/* Milliseconds that also pass while the machine is suspended (CLOCK_BOOTTIME). */
int64_t loop_now_ms(const struct loop *loop);
/* Tests: from now on time stands still and moves only by loop_clock_advance(), which runs what became due. */
void loop_clock_freeze(struct loop *loop);
void loop_clock_advance(struct loop *loop, int64_t ms);
/* Runs what is ready now without blocking; returns whether anything of ours ran (not: callbacks of libevent's
 * own objects). For tests. */
bool loop_run_pending(struct loop *loop);

typedef void loop_timer_fn(void *arg);
struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *arg);
void loop_timer_free(struct loop_timer *t);
void loop_timer_arm(struct loop_timer *t, int64_t delay_ms); /* once; arming again moves it */
void loop_timer_disarm(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);
/* Calls fn soon, from the loop: the way to defer work out of a callback. */
static inline void loop_timer_soon(struct loop_timer *t)
{
        loop_timer_arm(t, 0);
}

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void loop_io_fn(void *arg, int fd, unsigned events);
/* Level-triggered; borrows the descriptor. `events` may be 0 and set later. */
struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, loop_io_fn *fn, void *arg);
void loop_io_free(struct loop_io *io);
void loop_io_set(struct loop_io *io, unsigned events);

typedef void loop_signal_fn(void *arg, int signo);
struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_signal_fn *fn, void *arg);
void loop_signal_free(struct loop_signal *s);

/* For what lives without an owner (a forgotten child): fn runs when the loop is freed. Embedded. */
struct loop_at_free {
        void (*fn)(void *arg);
        void *arg;
        struct loop_at_free *next, **prev;
};
void loop_at_free_add(struct loop *loop, struct loop_at_free *a);
void loop_at_free_remove(struct loop *loop, struct loop_at_free *a); /* not in the list: nothing */
