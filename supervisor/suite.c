/* suite.c - the order in which generations of children come and go. */
#include "supervisor/suite.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "supervisor/child.h"
#include "supervisor/generation.h"
#include "supervisor/handover.h"

enum suite_phase {
        SUITE_RUNNING,  /* also before the start */
        SUITE_TRYING,   /* running, and the next generation is to become ready; timer: it is told to leave */
        SUITE_LEAVING,  /* running, and the generation that does not serve (any more) drains */
        SUITE_DRAINING, /* wave by wave */
        SUITE_QUICK,
        SUITE_STOPPED,
};

struct suite {
        struct child_shared shared;
        struct suite_events events;
        struct generation *serving;
        struct generation *other; /* the next one, or the one that leaves; NULL but during an upgrade */
        enum suite_phase phase;
        int64_t upgrade_ms;
        struct loop_timer *overdue; /* of SUITE_TRYING */
        bool rolled_back;
        struct errinfo why;
        unsigned wave; /* the one being drained */
        bool said_ready;
        struct loop_timer *look; /* a child has changed: look at all of them, from the loop */
};

static bool is_stopping(const struct suite *s)
{
        return s->phase >= SUITE_DRAINING;
}

/* --- over both generations --- */

static void each(struct suite *s, generation_fn *fn)
{
        generation_each(s->serving, fn);
        if (s->other != NULL)
                generation_each(s->other, fn);
}

static void each_of_wave(struct suite *s, unsigned wave, generation_fn *fn)
{
        generation_each_of_wave(s->serving, wave, fn);
        if (s->other != NULL)
                generation_each_of_wave(s->other, wave, fn);
}

static bool stopped_up_to(const struct suite *s, unsigned wave)
{
        return generation_stopped(s->serving, wave) &&
               (s->other == NULL || generation_stopped(s->other, wave));
}

static void tell_status(struct suite *s)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;

        generation_describe(s->serving, &sb);
        if (s->other != NULL) {
                strbuf_addf(&sb, "; %s: ", s->phase == SUITE_TRYING ? "starting" : "leaving");
                generation_describe(s->other, &sb);
        }
        s->events.on_status(s->events.arg, sb.buf);
}

/* --- an upgrade --- */

static void let_other_leave(struct suite *s)
{
        loop_timer_disarm(s->overdue);
        s->phase = SUITE_LEAVING;
        generation_each(s->other, child_replace);
        loop_timer_soon(s->look); /* there may be nothing left to change */
}

static void change_over(struct suite *s)
{
        struct generation *old = s->serving;

        s->serving = s->other;
        s->other = old;
        s->rolled_back = false;
        log_info(EV("suite.changed-over"), LF_I("generation", generation_number(s->serving)));
        let_other_leave(s);
}

static void roll_back(struct suite *s)
{
        s->rolled_back = true;
        log_warning(EV("suite.rolled-back"), LF_I("generation", generation_number(s->other)),
                    LF_ERR(&s->why));
        let_other_leave(s);
}

static void on_overdue(void *arg)
{
        struct suite *s = arg;
        const struct child *c = generation_unready(s->other);

        if (c == NULL)
                return; /* the look that changes over is due as well */
        err_set(&s->why, NULL, "%s was not ready within %lld ms (upgrade_timeout)", child_name(c),
                (long long)s->upgrade_ms);
        roll_back(s);
}

static void try_on(struct suite *s)
{
        const struct child *lost = generation_lost(s->other);

        if (lost != NULL) {
                err_set(&s->why, NULL, "%s did not become ready: %s", child_name(lost),
                        child_end(lost)[0] != '\0' ? child_end(lost) : child_state_name(child_state(lost)));
                roll_back(s);
        } else if (generation_unready(s->other) == NULL) {
                change_over(s);
        }
}

static void leave_on(struct suite *s)
{
        if (!generation_stopped(s->other, generation_last_wave()))
                return;
        generation_free(take_ptr(s->other));
        s->phase = SUITE_RUNNING;
        s->events.on_upgraded(s->events.arg, s->rolled_back ? s->why.text : NULL);
}

/* --- how it goes on --- */

/* Drains the first wave, from `s->wave` on, that has anything to drain. */
static void drain_on(struct suite *s)
{
        while (stopped_up_to(s, s->wave) && s->wave < generation_last_wave()) {
                s->wave++;
                log_info(EV("suite.drain"), LF_I("wave", s->wave));
                each_of_wave(s, s->wave, child_drain);
        }
}

static void stop_on(struct suite *s)
{
        if (s->phase == SUITE_DRAINING)
                drain_on(s);
        if (s->phase != SUITE_STOPPED && stopped_up_to(s, generation_last_wave())) {
                s->phase = SUITE_STOPPED;
                s->events.on_stopped(s->events.arg);
        }
}

static void on_look(void *arg)
{
        struct suite *s = arg;

        if (s->phase == SUITE_TRYING)
                try_on(s);
        tell_status(s);
        if (!is_stopping(s) && !s->said_ready && generation_serves(s->serving)) {
                s->said_ready = true;
                s->events.on_ready(s->events.arg);
        }
        if (s->phase == SUITE_LEAVING)
                leave_on(s);
        if (is_stopping(s))
                stop_on(s);
}

static void on_child_change(void *arg)
{
        struct suite *s = arg;

        loop_timer_soon(s->look);
}

/* --- making --- */

static struct suite *make(const struct launch_plan *plan, const struct options *opt,
                          const struct suite_events *events)
{
        struct suite *s = xcalloc(1, sizeof(*s));

        s->shared = (struct child_shared){.plan = *plan,
                                          .drain_ms = opt->drain_timeout_ms,
                                          .random = backoff_random,
                                          .on_change = on_child_change,
                                          .arg = s};
        s->events = *events;
        s->look = loop_timer_new(plan->loop, on_look, s);
        s->overdue = loop_timer_new(plan->loop, on_overdue, s);
        return s;
}

struct suite *suite_new(const struct launch_plan *plan, const struct options *opt,
                        const struct suite_events *events)
{
        struct suite *s = make(plan, opt, events);

        s->serving = generation_new(&s->shared, opt, 1);
        return s;
}

struct suite *suite_take_over(const struct launch_plan *plan, const struct options *opt,
                              const struct suite_events *events, const struct handover *h)
{
        struct suite *s = make(plan, opt, events);

        s->said_ready = h->ready != 0;
        s->serving = generation_take_over(&s->shared, h);
        loop_timer_soon(s->look);
        return s;
}

void suite_hand_over(const struct suite *s, struct handover *h)
{
        assert(s->other == NULL);
        h->generation = generation_number(s->serving);
        h->ready = s->said_ready;
        generation_hand_over(s->serving, h);
}

void suite_free(struct suite *s)
{
        if (s == NULL)
                return;
        generation_free(s->serving);
        generation_free(s->other);
        loop_timer_free(s->look);
        loop_timer_free(s->overdue);
        free(s);
}

unsigned suite_generation(const struct suite *s)
{
        return generation_number(s->serving);
}

/* --- what is asked --- */

void suite_start(struct suite *s)
{
        generation_each(s->serving, child_start);
}

void suite_upgrade(struct suite *s, const struct options *opt, unsigned number)
{
        assert(s->phase == SUITE_RUNNING);
        s->phase = SUITE_TRYING;
        s->upgrade_ms = opt->upgrade_timeout_ms;
        s->other = generation_new(&s->shared, opt, number);
        generation_each(s->other, child_start);
        loop_timer_arm(s->overdue, s->upgrade_ms);
}

void suite_drain(struct suite *s)
{
        if (is_stopping(s))
                return;
        loop_timer_disarm(s->overdue);
        s->phase = SUITE_DRAINING;
        log_info(EV("suite.drain"), LF_I("wave", 0));
        each_of_wave(s, 0, child_drain);
        loop_timer_soon(s->look); /* there may be nothing left to change */
}

void suite_quick(struct suite *s)
{
        if (s->phase == SUITE_STOPPED)
                return;
        loop_timer_disarm(s->overdue);
        s->phase = SUITE_QUICK;
        each(s, child_quick);
        loop_timer_soon(s->look);
}

void suite_reload(struct suite *s, int64_t drain_ms)
{
        s->shared.drain_ms = drain_ms;
        each(s, child_reload);
}
