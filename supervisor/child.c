/*
 * child.c - the state machine of child.h: a table of what each event does in each state, one small function
 * per kind of cell, and one function that moves between states.
 */
#include "supervisor/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "supervisor/channel.h"
#include "supervisor/child_internal.h"
#include "supervisor/restart.h"

enum child_event {
        EVENT_START,
        EVENT_SAID_READY,
        EVENT_SAID_DRAINING,
        EVENT_SILENT, /* the silence timer */
        EVENT_TIMER,  /* the state's own timer */
        EVENT_DIED,
        EVENT_DRAIN,
        EVENT_QUICK,
        EVENTS
};

static const char *const state_names[CHILD_STATES] = {
        [CHILD_STOPPED] = "stopped",   [CHILD_STARTING] = "starting", [CHILD_READY] = "ready",
        [CHILD_DRAINING] = "draining", [CHILD_QUICK] = "quick",       [CHILD_ABORTING] = "aborting",
        [CHILD_KILLED] = "killed",     [CHILD_WAITING] = "waiting",
};

#define TO_ENDED (TO(CHILD_WAITING) | TO(CHILD_STOPPED))
/* Where each state may lead: what set_state() holds every move to. */
static const unsigned moves[CHILD_STATES] = {
        [CHILD_STOPPED] = TO(CHILD_STARTING) | TO(CHILD_WAITING),
        [CHILD_STARTING] =
                TO(CHILD_READY) | TO(CHILD_DRAINING) | TO(CHILD_QUICK) | TO(CHILD_ABORTING) | TO_ENDED,
        [CHILD_READY] = TO(CHILD_DRAINING) | TO(CHILD_QUICK) | TO(CHILD_ABORTING) | TO_ENDED,
        [CHILD_DRAINING] = TO(CHILD_QUICK) | TO(CHILD_ABORTING) | TO_ENDED,
        [CHILD_QUICK] = TO(CHILD_KILLED) | TO_ENDED,
        [CHILD_ABORTING] = TO(CHILD_KILLED) | TO_ENDED,
        [CHILD_KILLED] = TO_ENDED,
        [CHILD_WAITING] = TO(CHILD_STARTING) | TO(CHILD_WAITING) | TO(CHILD_STOPPED),
};

static void handle(struct child *c, enum child_event event);

/* Every state begins without a timer; who enters it arms what it needs. */
static void set_state(struct child *c, enum child_state to)
{
        assert((moves[c->state] & TO(to)) != 0);
        log_debug(EV("child.state"), LF_S("child", c->name), LF_S("from", state_names[c->state]),
                  LF_S("to", state_names[to]));
        c->state = to;
        loop_timer_disarm(c->timer);
        c->timer_due_ms = -1;
        if ((CHILD_WATCHED & TO(to)) == 0)
                loop_timer_disarm(c->silence);
        c->shared->on_change(c->shared->arg);
}

void child_arm(struct child *c, int64_t delay_ms)
{
        c->timer_due_ms = loop_now_ms(c->shared->plan.loop) + delay_ms;
        loop_timer_arm(c->timer, delay_ms);
}

void child_expect_message(struct child *c)
{
        c->silence_due_ms = loop_now_ms(c->shared->plan.loop) + CONTRACT_ALIVE_DEAD_MS;
        loop_timer_arm(c->silence, CONTRACT_ALIVE_DEAD_MS);
}

static void send_signal(struct child *c, int signo)
{
        int r = proc_kill(c->proc, signo, false);

        if (r < 0)
                log_error(EV("child.signal-failed"), LF_S("child", c->name), LF_I("signal", signo),
                          LF_ERRNO(r));
}

/* --- what comes in: each becomes an event --- */

static void on_timer(void *arg)
{
        handle(arg, EVENT_TIMER);
}

static void on_silence(void *arg)
{
        struct child *c = arg;

        /* Much too late means that the machine slept, and we and the child with it: let it speak first. */
        if (loop_now_ms(c->shared->plan.loop) - c->silence_due_ms > CONTRACT_ALIVE_MS)
                child_expect_message(c);
        else
                handle(c, EVENT_SILENT);
}

void child_on_message(void *arg, const struct contract_status *status)
{
        struct child *c = arg;

        c->busy = status->busy;
        if ((CHILD_WATCHED & TO(c->state)) != 0)
                child_expect_message(c);
        if (status->kind == CONTRACT_READY)
                handle(c, EVENT_SAID_READY);
        else if (status->kind == CONTRACT_DRAINING)
                handle(c, EVENT_SAID_DRAINING);
}

static void forget_process(struct child *c)
{
        c->proc = NULL; /* frees itself */
        channel_free(take_ptr(c->channel));
        if (c->metrics_slot >= 0)
                metrics_slot_fold(c->shared->plan.metrics, c->metrics_slot);
        c->busy = 0;
        c->reload_wanted = false;
}

void child_on_end(void *arg, const struct proc_exit *ex)
{
        struct child *c = arg;
        bool as_told = c->told_to_stop && !ex->signaled && ex->code == EXIT_OK;

        c->cause = !ex->signaled && ex->code == EXIT_CONFIG ? RESTART_CONFIG : RESTART_DIED;
        c->was_ready_ms = c->ready_since_ms < 0 ? 0 : loop_now_ms(c->shared->plan.loop) - c->ready_since_ms;
        const struct log_field fields[] = {EV("child.exited"),
                                           LF_S("child", c->name),
                                           LF_I("generation", c->generation),
                                           LF_I("child_pid", proc_pid(c->proc)),
                                           LF_S("how", proc_exit_text(ex)),
                                           LF_S("state", state_names[c->state]),
                                           LF_I("ready_ms", c->was_ready_ms)};
        log_write(as_told ? LOGL_INFO : LOGL_WARNING, fields, ARRAY_SIZE(fields));
        err_set(&c->end, NULL, "%s", proc_exit_text(ex));
        forget_process(c);
        handle(c, EVENT_DIED);
}

/* --- the cells of the table --- */

static void wait_to_start(struct child *c)
{
        static const struct {
                enum log_level level;
                struct log_field event;
        } say[] = {
                [RESTART_NOW] = {LOGL_INFO, EV("child.restart")},
                [RESTART_BACKOFF] = {LOGL_WARNING, EV("child.backoff")},
                [RESTART_THROTTLED] = {LOGL_ERROR, EV("child.throttled")},
        };
        int64_t now_ms = loop_now_ms(c->shared->plan.loop);
        struct restart_verdict v =
                restart_decide(&c->restart, c->cause, c->was_ready_ms, now_ms, c->shared->random());
        const struct log_field fields[] = {say[v.kind].event, LF_S("child", c->name),
                                           LF_S("cause", restart_cause_text(c->cause)),
                                           LF_I("wait_ms", v.delay_ms)};

        c->throttled = v.kind == RESTART_THROTTLED;
        log_write(say[v.kind].level, fields, ARRAY_SIZE(fields));
        set_state(c, CHILD_WAITING);
        child_arm(c, v.delay_ms);
}

static void act_start(struct child *c)
{
        struct launched l;
        int r = launch(&c->shared->plan, &c->what, child_on_end, c, &l, &c->end);

        if (r < 0) {
                log_error(EV("child.start-failed"), LF_S("child", c->name), LF_ERR(&c->end));
                c->cause = restart_cause_of_failed_start(r);
                c->was_ready_ms = 0;
                wait_to_start(c);
                return;
        }
        c->proc = l.proc;
        c->metrics_slot = l.metrics_slot;
        c->channel = channel_new(c->shared->plan.loop, l.status_fd, c->name, child_on_message, c);
        if (c->started_before)
                metrics_count_for(c->shared->plan.metrics, c->what.daemon, METRIC_RESTARTS, 1);
        c->started_before = true;
        c->ready_since_ms = -1;
        log_info(EV("child.started"), LF_S("child", c->name), LF_I("generation", c->generation),
                 LF_I("child_pid", proc_pid(c->proc)));
        set_state(c, CHILD_STARTING);
        child_expect_message(c);
}

static void act_ready(struct child *c)
{
        c->ready_since_ms = loop_now_ms(c->shared->plan.loop);
        log_info(EV("child.ready"), LF_S("child", c->name), LF_I("generation", c->generation),
                 LF_I("child_pid", proc_pid(c->proc)));
        set_state(c, CHILD_READY);
        if (c->reload_wanted)
                child_reload(c);
}

static void act_reloaded(struct child *c)
{
        log_info(EV("child.reloaded"), LF_S("child", c->name));
}

static void drain(struct child *c)
{
        set_state(c, CHILD_DRAINING);
        child_arm(c, c->shared->drain_ms + CHILD_DRAIN_MARGIN_MS);
}

static void act_drain(struct child *c)
{
        send_signal(c, c->replaced ? CONTRACT_SIGNAL_REPLACED : SIGTERM);
        drain(c);
}

/* Somebody else told it to, or it has its own reason; it is bounded, and started again, all the same. */
static void act_leaves(struct child *c)
{
        log_info(EV("child.leaves"), LF_S("child", c->name));
        drain(c);
}

static void act_quick(struct child *c)
{
        send_signal(c, SIGINT);
        set_state(c, CHILD_QUICK);
        child_arm(c, CHILD_QUICK_MS);
}

static void act_abort(struct child *c)
{
        log_error(EV("child.silent"), LF_S("child", c->name), LF_I("silent_ms", CONTRACT_ALIVE_DEAD_MS));
        send_signal(c, SIGABRT);
        set_state(c, CHILD_ABORTING);
        child_arm(c, CHILD_ABORT_MS);
}

static void act_kill(struct child *c)
{
        log_warning(EV("child.killed"), LF_S("child", c->name), LF_S("state", state_names[c->state]));
        send_signal(c, SIGKILL);
        set_state(c, CHILD_KILLED);
        child_arm(c, CHILD_KILL_SAY_MS);
}

/* The kernel ends it when it can: a process in uninterruptible sleep takes as long as its device does. */
static void act_say_stuck(struct child *c)
{
        log_error(EV("child.stuck"), LF_S("child", c->name), LF_I("child_pid", proc_pid(c->proc)));
        child_arm(c, CHILD_KILL_SAY_MS);
}

static void act_ended(struct child *c)
{
        if (c->told_to_stop)
                set_state(c, CHILD_STOPPED);
        else
                wait_to_start(c);
}

typedef void child_action(struct child *c);

/* What each event does in each state; an empty cell is nothing at all. */
static child_action *const actions[CHILD_STATES][EVENTS] = {
        [CHILD_STOPPED] = {[EVENT_START] = act_start},
        [CHILD_STARTING] = {[EVENT_SAID_READY] = act_ready,
                            [EVENT_SAID_DRAINING] = act_leaves,
                            [EVENT_SILENT] = act_abort,
                            [EVENT_DIED] = act_ended,
                            [EVENT_DRAIN] = act_drain,
                            [EVENT_QUICK] = act_quick},
        [CHILD_READY] = {[EVENT_SAID_READY] = act_reloaded,
                         [EVENT_SAID_DRAINING] = act_leaves,
                         [EVENT_SILENT] = act_abort,
                         [EVENT_DIED] = act_ended,
                         [EVENT_DRAIN] = act_drain,
                         [EVENT_QUICK] = act_quick},
        [CHILD_DRAINING] = {[EVENT_SILENT] = act_abort,
                            [EVENT_TIMER] = act_quick,
                            [EVENT_DIED] = act_ended,
                            [EVENT_QUICK] = act_quick},
        [CHILD_QUICK] = {[EVENT_TIMER] = act_kill, [EVENT_DIED] = act_ended},
        [CHILD_ABORTING] = {[EVENT_TIMER] = act_kill, [EVENT_DIED] = act_ended},
        [CHILD_KILLED] = {[EVENT_TIMER] = act_say_stuck, [EVENT_DIED] = act_ended},
        [CHILD_WAITING] = {[EVENT_TIMER] = act_start, [EVENT_DRAIN] = act_ended, [EVENT_QUICK] = act_ended},
};

static void handle(struct child *c, enum child_event event)
{
        if (actions[c->state][event] != NULL)
                actions[c->state][event](c);
}

/* --- what is asked --- */

struct child *child_new(const struct child_shared *shared, const char *name, const struct launch_what *what,
                        unsigned generation)
{
        struct child *c = xcalloc(1, sizeof(*c));

        c->shared = shared;
        c->name = xstrdup(name);
        c->what = *what;
        c->generation = generation;
        c->timer_due_ms = -1;
        c->timer = loop_timer_new(shared->plan.loop, on_timer, c);
        c->silence = loop_timer_new(shared->plan.loop, on_silence, c);
        return c;
}

void child_free(struct child *c)
{
        if (c == NULL)
                return;
        if (c->proc != NULL) {
                proc_forget(c->proc);
                forget_process(c);
        }
        loop_timer_free(c->timer);
        loop_timer_free(c->silence);
        free(c->name);
        free(c);
}

void child_start(struct child *c)
{
        c->told_to_stop = false;
        handle(c, EVENT_START);
}

void child_drain(struct child *c)
{
        c->told_to_stop = true;
        handle(c, EVENT_DRAIN);
}

void child_replace(struct child *c)
{
        c->replaced = true;
        child_drain(c);
}

void child_quick(struct child *c)
{
        c->told_to_stop = true;
        handle(c, EVENT_QUICK);
}

/* A process that is starting is told when it is ready: before, nobody can say which file it has read. */
void child_reload(struct child *c)
{
        c->reload_wanted = c->state == CHILD_STARTING;
        if (c->state == CHILD_READY)
                send_signal(c, SIGHUP);
}

enum child_state child_state(const struct child *c)
{
        return c->state;
}

const char *child_state_name(enum child_state state)
{
        return state_names[state];
}

bool child_throttled(const struct child *c)
{
        return c->state == CHILD_WAITING && c->throttled;
}

const char *child_name(const struct child *c)
{
        return c->name;
}

const char *child_end(const struct child *c)
{
        return c->end.text;
}

uint32_t child_busy(const struct child *c)
{
        return c->busy;
}
