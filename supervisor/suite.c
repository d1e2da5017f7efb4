/* suite.c - the table of services, and the order in which they come and go. */
#include "supervisor/suite.h"

#include <stddef.h>
#include <stdlib.h>

#include "common/backoff.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "supervisor/child.h"

struct service {
        const char *name;
        unsigned wave;
        size_t n;
        struct child **children;
};

enum service_id {
#define SERVICE(name, program, count, wave, listeners) SERVICE_##name,
#include "supervisor/services.def"
#undef SERVICE
        SERVICES
};

enum suite_phase {
        SUITE_RUNNING,  /* also before the start */
        SUITE_DRAINING, /* wave by wave */
        SUITE_QUICK,
        SUITE_STOPPED,
};

struct suite {
        struct child_shared shared;
        struct suite_events events;
        struct service services[SERVICES];
        enum suite_phase phase;
        unsigned wave; /* the one being drained */
        bool said_ready;
        struct loop_timer *look; /* a child has changed: look at all of them, from the loop */
};

/* --- over all children --- */

typedef void each_fn(struct child *c);

static void each(struct suite *s, each_fn *fn)
{
        for (size_t i = 0; i < SERVICES; i++)
                for (size_t k = 0; k < s->services[i].n; k++)
                        fn(s->services[i].children[k]);
}

static void each_of_wave(struct suite *s, unsigned wave, each_fn *fn)
{
        for (size_t i = 0; i < SERVICES; i++)
                for (size_t k = 0; s->services[i].wave == wave && k < s->services[i].n; k++)
                        fn(s->services[i].children[k]);
}

static size_t count_in(const struct service *sv, enum child_state state)
{
        size_t n = 0;

        for (size_t k = 0; k < sv->n; k++)
                n += child_state(sv->children[k]) == state;
        return n;
}

static bool all_ready(const struct suite *s)
{
        for (size_t i = 0; i < SERVICES; i++)
                if (count_in(&s->services[i], CHILD_READY) == 0)
                        return false;
        return true;
}

/* Whether every child up to and including a wave has ended. */
static bool stopped_up_to(const struct suite *s, unsigned wave)
{
        for (size_t i = 0; i < SERVICES; i++)
                if (s->services[i].wave <= wave &&
                    count_in(&s->services[i], CHILD_STOPPED) < s->services[i].n)
                        return false;
        return true;
}

static unsigned last_wave(const struct suite *s)
{
        unsigned last = 0;

        for (size_t i = 0; i < SERVICES; i++)
                if (s->services[i].wave > last)
                        last = s->services[i].wave;
        return last;
}

/* --- the line about all --- */

static void describe_service(struct strbuf *sb, const struct service *sv)
{
        size_t throttled = 0, busy = 0;

        for (size_t k = 0; k < sv->n; k++) {
                throttled += child_throttled(sv->children[k]);
                busy += child_busy(sv->children[k]);
        }
        strbuf_addf(sb, "%s%s %zu/%zu", sb->len > 0 ? ", " : "", sv->name, count_in(sv, CHILD_READY), sv->n);
        if (throttled > 0)
                strbuf_addf(sb, " (%zu throttled)", throttled);
        if (busy > 0)
                strbuf_addf(sb, " (%zu in hand)", busy);
}

static void tell_status(struct suite *s)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;

        for (size_t i = 0; i < SERVICES; i++)
                describe_service(&sb, &s->services[i]);
        s->events.on_status(s->events.arg, sb.buf);
}

/* --- how it goes on --- */

/* Drains the first wave, from `s->wave` on, that has anything to drain. */
static void drain_on(struct suite *s)
{
        while (stopped_up_to(s, s->wave) && s->wave < last_wave(s)) {
                s->wave++;
                log_info(EV("suite.drain"), LF_I("wave", s->wave));
                each_of_wave(s, s->wave, child_drain);
        }
}

static void on_look(void *arg)
{
        struct suite *s = arg;

        tell_status(s);
        if (s->phase == SUITE_RUNNING && !s->said_ready && all_ready(s)) {
                s->said_ready = true;
                s->events.on_ready(s->events.arg);
                return;
        }
        if (s->phase == SUITE_DRAINING)
                drain_on(s);
        if ((s->phase == SUITE_DRAINING || s->phase == SUITE_QUICK) && stopped_up_to(s, last_wave(s))) {
                s->phase = SUITE_STOPPED;
                s->events.on_stopped(s->events.arg);
        }
}

static void on_child_change(void *arg)
{
        struct suite *s = arg;

        loop_timer_soon(s->look);
}

/* --- what is asked --- */

static void make_service(struct suite *s, enum service_id id, int64_t count, unsigned wave,
                         const struct launch_what *what)
{
        struct service *sv = &s->services[id];

        sv->name = what->daemon;
        sv->wave = wave;
        sv->n = (size_t)count;
        sv->children = xcalloc(sv->n, sizeof(struct child *));
        for (size_t k = 0; k < sv->n; k++) {
                _cleanup_(freep) char *name = xasprintf("%s.%zu", sv->name, k + 1);

                sv->children[k] = child_new(&s->shared, name, what);
        }
}

struct suite *suite_new(const struct launch_plan *plan, const struct options *opt,
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
#define SERVICE(name_, program_, count_, wave_, listeners_)                                                  \
        make_service(                                                                                        \
                s, SERVICE_##name_, (count_), (wave_),                                                       \
                &(struct launch_what){.daemon = #name_, .program = (program_), .listeners = (listeners_)});
#include "supervisor/services.def"
#undef SERVICE
        return s;
}

void suite_free(struct suite *s)
{
        if (s == NULL)
                return;
        each(s, child_free);
        for (size_t i = 0; i < SERVICES; i++)
                free(s->services[i].children);
        loop_timer_free(s->look);
        free(s);
}

void suite_start(struct suite *s)
{
        each(s, child_start);
}

void suite_drain(struct suite *s)
{
        if (s->phase != SUITE_RUNNING)
                return;
        s->phase = SUITE_DRAINING;
        log_info(EV("suite.drain"), LF_I("wave", 0));
        each_of_wave(s, 0, child_drain);
        loop_timer_soon(s->look); /* there may be nothing left to change */
}

void suite_quick(struct suite *s)
{
        if (s->phase == SUITE_STOPPED)
                return;
        s->phase = SUITE_QUICK;
        each(s, child_quick);
        loop_timer_soon(s->look);
}

void suite_reload(struct suite *s, int64_t drain_ms)
{
        s->shared.drain_ms = drain_ms;
        each(s, child_reload);
}
