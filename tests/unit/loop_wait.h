/* loop_wait.h - lets a loop turn until something has happened, with a deadline in real time (also when the
 * loop's own clock is frozen). */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <sys/time.h>

#include "common/loop.h"

#define LOOP_WAIT_S 10

static inline void loop_wait_over(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        *(bool *)arg = true;
}

/* True when *flag was set in time. */
static inline bool loop_wait(struct loop *loop, const bool *flag)
{
        const struct timeval limit = {.tv_sec = LOOP_WAIT_S};
        bool over = false;
        struct event *deadline = evtimer_new(loop_base(loop), loop_wait_over, &over);
        event_add(deadline, &limit);
        while (!*flag && !over)
                event_base_loop(loop_base(loop), EVLOOP_ONCE);
        event_free(deadline);
        return *flag;
}
