/*
 * loop.c - the loop over libevent.
 *
 * Timers are ours: a heap of deadlines on our clock, and a single libevent timer that wakes us for the first
 * one. That keeps the clock a seam: frozen, nothing but loop_clock_advance() makes a deadline pass.
 */
#include "common/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "common/mem.h"
#include "common/timer_heap.h"

/* libevent waits on a clock that stops while the machine is suspended, ours goes on: never sleep much longer
 * than the delay that a resumed machine may show. */
#define LONGEST_SLEEP_MS 30000

#define NEVER            INT64_MAX

struct loop {
        struct event_base *base;
        struct event *tick; /* the one libevent timer */
        int64_t wake_at_ms; /* what it is set for; NEVER: it is not */
        struct timer_heap timers;
        struct loop_at_free *at_free;
        bool stopped;
        bool frozen;
        int64_t frozen_now_ms;
        size_t n_objects;  /* timers, ios and signals that exist */
        uint64_t n_called; /* callbacks run, ever */
};

struct loop_timer {
        struct timer_node node; /* first: the heap hands nodes back */
        struct loop *loop;
        loop_timer_fn *fn;
        void *arg;
};

struct loop_io {
        struct loop *loop;
        struct event *event;
        int fd;
        unsigned events;
        loop_io_fn *fn;
        void *arg;
};

struct loop_signal {
        struct loop *loop;
        struct event *event;
        loop_signal_fn *fn;
        void *arg;
};

/* libevent refuses only when memory or the kernel's table of watches is used up, or the descriptor cannot be
 * polled, which is a bug of ours. Neither leaves a loop one could go on with. */
static void must(bool ok)
{
        if (!ok)
                abort();
}

/* ---- timers and the clock ---- */

int64_t loop_now_ms(const struct loop *loop)
{
        struct timespec now;
        if (loop->frozen)
                return loop->frozen_now_ms;
        (void)clock_gettime(CLOCK_BOOTTIME, &now); /* cannot fail for this clock */
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Makes sure that we wake up for the first deadline. Waking up once too early does no harm, so a timer that
 * was moved back or disarmed leaves the libevent timer as it is. */
static void schedule(struct loop *loop)
{
        const struct timer_node *first = timer_heap_first(&loop->timers);
        if (first == NULL || first->deadline_ms >= loop->wake_at_ms)
                return;
        int64_t delay = first->deadline_ms - loop_now_ms(loop);
        if (loop->frozen && delay > 0)
                return; /* real time does not bring it nearer */
        if (delay < 0)
                delay = 0;
        if (delay > LONGEST_SLEEP_MS)
                delay = LONGEST_SLEEP_MS;
        const struct timeval tv = {.tv_sec = delay / 1000, .tv_usec = delay % 1000 * 1000};
        must(event_add(loop->tick, &tv) == 0);
        loop->wake_at_ms = first->deadline_ms;
}

/* Runs what is due now, and was armed before this call: a timer that arms itself again at once gives
 * descriptors their turn in between. */
static void run_due(struct loop *loop)
{
        int64_t now = loop_now_ms(loop);
        uint64_t newest = loop->timers.last_order;
        struct timer_node *node;
        while ((node = timer_heap_first(&loop->timers)) != NULL && node->deadline_ms <= now &&
               node->order <= newest) {
                struct loop_timer *t = (struct loop_timer *)node;
                timer_heap_remove(&loop->timers, node);
                loop->n_called++;
                t->fn(t->arg); /* may free t */
        }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
        struct loop *loop = arg;
        (void)fd;
        (void)what;
        loop->wake_at_ms = NEVER;
        run_due(loop);
        schedule(loop);
}

void loop_clock_freeze(struct loop *loop)
{
        loop->frozen_now_ms = loop_now_ms(loop);
        loop->frozen = true;
        must(event_del(loop->tick) == 0);
        loop->wake_at_ms = NEVER;
        schedule(loop);
}

void loop_clock_advance(struct loop *loop, int64_t ms)
{
        assert(loop->frozen && ms >= 0);
        int64_t until = loop->frozen_now_ms + ms;
        const struct timer_node *first;
        /* Each deadline is met at its own time, so that what a callback arms is counted from there. */
        while ((first = timer_heap_first(&loop->timers)) != NULL && first->deadline_ms < until) {
                if (first->deadline_ms > loop->frozen_now_ms)
                        loop->frozen_now_ms = first->deadline_ms;
                run_due(loop);
        }
        loop->frozen_now_ms = until;
        run_due(loop);
        schedule(loop);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *arg)
{
        struct loop_timer *t = xcalloc(1, sizeof(*t));
        *t = (struct loop_timer){.loop = loop, .fn = fn, .arg = arg};
        loop->n_objects++;
        return t;
}

void loop_timer_free(struct loop_timer *t)
{
        if (t == NULL)
                return;
        timer_heap_remove(&t->loop->timers, &t->node);
        t->loop->n_objects--;
        free(t);
}

void loop_timer_arm(struct loop_timer *t, int64_t delay_ms)
{
        timer_heap_remove(&t->loop->timers, &t->node);
        timer_heap_add(&t->loop->timers, &t->node, loop_now_ms(t->loop) + (delay_ms > 0 ? delay_ms : 0));
        schedule(t->loop);
}

void loop_timer_disarm(struct loop_timer *t)
{
        timer_heap_remove(&t->loop->timers, &t->node);
}

bool loop_timer_armed(const struct loop_timer *t)
{
        return timer_node_queued(&t->node);
}

/* ---- descriptors ---- */

static void on_io(evutil_socket_t fd, short what, void *arg)
{
        struct loop_io *io = arg;
        unsigned events =
                ((what & EV_READ) != 0 ? LOOP_READ : 0u) | ((what & EV_WRITE) != 0 ? LOOP_WRITE : 0u);
        io->loop->n_called++;
        io->fn(io->arg, (int)fd, events); /* may free io */
}

struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, loop_io_fn *fn, void *arg)
{
        struct loop_io *io = xcalloc(1, sizeof(*io));
        *io = (struct loop_io){.loop = loop, .fd = fd, .fn = fn, .arg = arg};
        io->event = event_new(loop->base, fd, EV_PERSIST, on_io, io);
        must(io->event != NULL);
        loop->n_objects++;
        loop_io_set(io, events);
        return io;
}

void loop_io_free(struct loop_io *io)
{
        if (io == NULL)
                return;
        event_free(io->event);
        io->loop->n_objects--;
        free(io);
}

void loop_io_set(struct loop_io *io, unsigned events)
{
        if (events == io->events)
                return;
        io->events = events;
        must(event_del(io->event) == 0);
        if (events == 0)
                return;
        short what = (short)(((events & LOOP_READ) != 0 ? EV_READ : 0) |
                             ((events & LOOP_WRITE) != 0 ? EV_WRITE : 0) | EV_PERSIST);
        must(event_assign(io->event, io->loop->base, io->fd, what, on_io, io) == 0);
        must(event_add(io->event, NULL) == 0);
}

/* ---- signals ---- */

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
        struct loop_signal *s = arg;
        (void)what;
        s->loop->n_called++;
        s->fn(s->arg, (int)signo); /* may free s */
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
        struct loop_signal *s = xcalloc(1, sizeof(*s));
        *s = (struct loop_signal){.loop = loop, .fn = fn, .arg = arg};
        s->event = evsignal_new(loop->base, signo, on_signal, s);
        must(s->event != NULL && event_add(s->event, NULL) == 0);
        loop->n_objects++;
        return s;
}

void loop_signal_free(struct loop_signal *s)
{
        if (s == NULL)
                return;
        event_free(s->event);
        s->loop->n_objects--;
        free(s);
}

/* ---- the loop itself ---- */

static struct event_base *new_base(void)
{
        struct event_config *cfg = event_config_new();
        if (cfg == NULL)
                return NULL;
        struct event_base *base = NULL;
        /* No environment variable of libevent's chooses our backend, and one thread needs no locks. */
        if (event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
                base = event_base_new_with_config(cfg);
        event_config_free(cfg);
        return base;
}

int loop_new(struct loop **ret_loop)
{
        errno = 0;
        struct event_base *base = new_base();
        if (base == NULL)
                return errno != 0 ? -errno : -ENOMEM;
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
                int r = -errno;
                event_base_free(base);
                return r;
        }
        struct loop *loop = xcalloc(1, sizeof(*loop));
        *loop = (struct loop){.base = base, .wake_at_ms = NEVER};
        loop->tick = evtimer_new(base, on_tick, loop);
        must(loop->tick != NULL);
        *ret_loop = loop;
        return 0;
}

void loop_free(struct loop *loop)
{
        if (loop == NULL)
                return;
        for (struct loop_at_free *a; (a = loop->at_free) != NULL;) {
                loop_at_free_remove(loop, a);
                a->fn(a->arg);
        }
        assert(loop->n_objects == 0);
        timer_heap_deinit(&loop->timers);
        event_free(loop->tick);
        event_base_free(loop->base);
        free(loop);
}

int loop_run(struct loop *loop)
{
        int r = 0;
        if (!loop->stopped)
                r = event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
        loop->stopped = false;
        return r < 0 ? (errno != 0 ? -errno : -EIO) : 0;
}

bool loop_run_pending(struct loop *loop)
{
        uint64_t before = loop->n_called;
        must(event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
        return loop->n_called != before;
}

void loop_stop(struct loop *loop)
{
        loop->stopped = true; /* libevent forgets a break that comes before its loop has begun */
        must(event_base_loopbreak(loop->base) == 0);
}

struct event_base *loop_base(struct loop *loop)
{
        return loop->base;
}

void loop_at_free_add(struct loop *loop, struct loop_at_free *a)
{
        a->next = loop->at_free;
        a->prev = &loop->at_free;
        if (a->next != NULL)
                a->next->prev = &a->next;
        loop->at_free = a;
}

void loop_at_free_remove(struct loop *loop, struct loop_at_free *a)
{
        (void)loop; /* the list is found through its neighbours */
        if (a->prev == NULL)
                return;
        *a->prev = a->next;
        if (a->next != NULL)
                a->next->prev = a->prev;
        a->prev = NULL;
}
