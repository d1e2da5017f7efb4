/* child_handover.c - a child as it is handed over in an upgrade: written down by one program, taken up by the
 * next. */
#include "supervisor/child.h"

#include "common/loop.h"
#include "supervisor/channel.h"
#include "supervisor/child_internal.h"
#include "supervisor/handover.h"

_Static_assert(RESTART_DEATHS == 5, "handover.def has a line for each");

static void hand_over_process(const struct child *c, struct handover_child *h)
{
        h->pid = proc_pid(c->proc);
        h->pidfd = proc_pidfd(c->proc);
        h->status_fd = channel_fd(c->channel);
        h->metrics_slot = c->metrics_slot;
}

static void hand_over_tally(const struct restart *r, struct handover_child *h)
{
        h->deaths = (int64_t)r->deaths;
        h->unsettled = r->unsettled;
        h->scarce = r->scarce;
        h->died_0_ms = r->died_ms[0];
        h->died_1_ms = r->died_ms[1];
        h->died_2_ms = r->died_ms[2];
        h->died_3_ms = r->died_ms[3];
        h->died_4_ms = r->died_ms[4];
}

void child_hand_over(const struct child *c, struct handover_child *h)
{
        h->state = c->state;
        h->told_to_stop = c->told_to_stop;
        h->started_before = c->started_before;
        h->throttled = c->throttled;
        h->reload_wanted = c->reload_wanted;
        h->busy = c->busy;
        h->pid = 0;
        h->pidfd = h->status_fd = h->metrics_slot = -1;
        if (c->proc != NULL)
                hand_over_process(c, h);
        h->ready_since_ms = c->ready_since_ms;
        h->timer_due_ms = c->timer_due_ms;
        hand_over_tally(&c->restart, h);
}

static void take_over_process(struct child *c, const struct handover_child *h)
{
        struct loop *loop = c->shared->plan.loop;

        c->proc = proc_adopt(loop, (pid_t)h->pid, (int)h->pidfd, child_on_end, c);
        c->channel = channel_new(loop, (int)h->status_fd, c->name, child_on_message, c);
        c->metrics_slot = (int)h->metrics_slot;
        if ((CHILD_WATCHED & TO(c->state)) != 0)
                child_expect_message(c);
}

static void take_over_tally(struct restart *r, const struct handover_child *h)
{
        *r = (struct restart){
                .died_ms = {h->died_0_ms, h->died_1_ms, h->died_2_ms, h->died_3_ms, h->died_4_ms},
                .deaths = (uint64_t)h->deaths,
                .unsettled = (unsigned)h->unsettled,
                .scarce = (unsigned)h->scarce,
        };
}

struct child *child_take_over(const struct child_shared *shared, const char *name,
                              const struct launch_what *what, unsigned generation,
                              const struct handover_child *h)
{
        struct child *c = child_new(shared, name, what, generation);
        int64_t left_ms = h->timer_due_ms - loop_now_ms(shared->plan.loop);

        c->state = (enum child_state)h->state;
        c->told_to_stop = h->told_to_stop != 0;
        c->started_before = h->started_before != 0;
        c->throttled = h->throttled != 0;
        c->reload_wanted = h->reload_wanted != 0;
        c->busy = (uint32_t)h->busy;
        c->ready_since_ms = h->ready_since_ms;
        take_over_tally(&c->restart, h);
        if (h->pid > 0)
                take_over_process(c, h);
        if (h->timer_due_ms >= 0)
                child_arm(c, left_ms > 0 ? left_ms : 0);
        return c;
}
