/* upgrade.c - the steps of upgrade.h. */
#include "supervisor/upgrade.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/supervisor_state.h"
#include "supervisor/handover.h"
#include "supervisor/listeners.h"
#include "supervisor/notify.h"
#include "supervisor/reexec.h"
#include "supervisor/suite.h"
#include "supervisor/supervisor_internal.h"
#include "supervisor/trial.h"

/* One turn finds the signals that had come before they were blocked, and calls their handlers at its end. */
#define SETTLE_TURNS 2

enum upgrade_step { STEP_NONE, STEP_TRIAL, STEP_SETTLE, STEP_ROLL };

struct upgrade {
        struct supervisor *s;
        enum upgrade_step step;
        unsigned number;
        char *program; /* to become */
        struct trial *trial;
        struct loop_timer *settle;
        unsigned turns;
};

/* --- what came of it --- */

static void tell(const struct upgrade *u, enum upgrade_outcome outcome, const char *reason)
{
        const struct supervisor *s = u->s;
        struct errinfo err = ERRINFO_INIT;
        struct supervisor_state state = {.pid = getpid(),
                                         .generation = s->suite != NULL ? suite_generation(s->suite) : 1,
                                         .upgrades = u->number,
                                         .outcome = outcome};

        (void)snprintf(state.reason, sizeof(state.reason), "%s", reason);
        if (supervisor_state_write(s->opt->state_dir, &state, &err) < 0)
                log_error(EV("upgrade.state-not-written"), LF_ERR(&err));
}

static const struct {
        enum metric_id metric;
        enum log_level level;
        struct log_field event;
} ends[UPGRADE_OUTCOMES] = {
        [UPGRADE_DONE] = {METRIC_UPGRADES_DONE, LOGL_INFO, EV("upgrade.done")},
        [UPGRADE_REFUSED] = {METRIC_UPGRADES_REFUSED, LOGL_ERROR, EV("upgrade.refused")},
        [UPGRADE_ROLLED_BACK] = {METRIC_UPGRADES_ROLLED_BACK, LOGL_ERROR, EV("upgrade.rolled-back")},
};

static void count_and_log(const struct upgrade *u, enum upgrade_outcome outcome, const char *reason)
{
        const struct log_field fields[] = {ends[outcome].event,
                                           LF_I("upgrade", u->number),
                                           {.key = "reason", .str = reason, .if_set = true}};

        metrics_count(ends[outcome].metric, 1);
        log_write(ends[outcome].level, fields, ARRAY_SIZE(fields));
}

static void end(struct upgrade *u, enum upgrade_outcome outcome, const char *reason)
{
        u->step = STEP_NONE;
        count_and_log(u, outcome, reason);
        tell(u, outcome, reason);
        if (u->s->ready && !u->s->stopping)
                notify_ready(u->s->notify);
}

/* --- becoming the new program --- */

static void hand_over(const struct upgrade *u, struct handover *h)
{
        const struct supervisor *s = u->s;

#define HANDOVER_TEXT(field) h->field = xstrdup(s->opt->field);
#include "supervisor/handover.def"
        h->upgrades = u->number;
        h->pid_fd = s->pid_fd;
        h->metrics_fd = s->metrics_fd;
        h->metrics_slot = s->metrics_slot;
#define X(id, name, env) h->listen_##name##_fd = listeners_fd(s->listeners, CONTRACT_LISTENER_##id);
        CONTRACT_LISTENERS(X)
#undef X
        suite_hand_over(s->suite, h);
}

/* Does not return when it succeeds. */
static void become(struct upgrade *u)
{
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT;
        struct errinfo err = ERRINFO_INIT;

        log_info(EV("upgrade.exec"), LF_I("upgrade", u->number), LF_S("program", u->program));
        hand_over(u, &h);
        (void)reexec(u->program, u->s->argv + 1, &h, &err); /* err says why */
        supervisor_block_signals(false);
        end(u, UPGRADE_REFUSED, err.text);
}

static void on_settle(void *arg)
{
        struct upgrade *u = arg;

        if (--u->turns > 0)
                loop_timer_soon(u->settle);
        else
                become(u);
}

/* A signal whose handler has run, and whose callback has not, would be forgotten by exec. */
static void settle(struct upgrade *u)
{
        u->step = STEP_SETTLE;
        supervisor_block_signals(true);
        u->turns = SETTLE_TURNS;
        loop_timer_soon(u->settle);
}

static void on_trial(void *arg, const char *why)
{
        struct upgrade *u = arg;

        trial_free(take_ptr(u->trial));
        if (why == NULL)
                settle(u);
        else
                end(u, UPGRADE_REFUSED, why);
}

/* --- what is asked --- */

/* NULL: nothing is in the way. */
static const char *find_obstacle(const struct upgrade *u)
{
        if (u->s->stopping)
                return "the supervisor is stopping";
        if (u->s->suite == NULL)
                return "the supervisor is still starting";
        return NULL;
}

static void begin(struct upgrade *u)
{
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT;
        struct errinfo err = ERRINFO_INIT;

        log_info(EV("upgrade.started"), LF_I("upgrade", u->number), LF_S("program", u->program));
        if (u->s->ready)
                notify_reloading(u->s->notify);
        tell(u, UPGRADE_RUNNING, "");
        u->step = STEP_TRIAL;
        hand_over(u, &h);
        if (trial_new(u->s->loop, u->program, u->s->argv + 1, &h, on_trial, u, &u->trial, &err) < 0)
                end(u, UPGRADE_REFUSED, err.text);
}

void upgrade_ask(struct upgrade *u)
{
        const char *obstacle = find_obstacle(u);

        if (upgrade_is_under_way(u)) {
                /* The state file goes on to tell of the one under way: somebody waits for it. */
                count_and_log(u, UPGRADE_REFUSED, "this one is still under way");
                return;
        }
        u->number++;
        if (obstacle == NULL)
                begin(u);
        else
                end(u, UPGRADE_REFUSED, obstacle);
}

void upgrade_go_on(struct upgrade *u)
{
        u->step = STEP_ROLL;
        tell(u, UPGRADE_RUNNING, "");
        suite_upgrade(u->s->suite, u->s->opt, u->number + 1);
}

void upgrade_rolled(struct upgrade *u, const char *why)
{
        end(u, why == NULL ? UPGRADE_DONE : UPGRADE_ROLLED_BACK, why != NULL ? why : "");
}

void upgrade_abandon(struct upgrade *u)
{
        enum upgrade_outcome outcome = u->step == STEP_ROLL ? UPGRADE_ROLLED_BACK : UPGRADE_REFUSED;

        if (!upgrade_is_under_way(u))
                return;
        trial_free(take_ptr(u->trial));
        loop_timer_disarm(u->settle);
        if (u->step == STEP_SETTLE)
                supervisor_block_signals(false);
        end(u, outcome, "the supervisor was told to stop");
}

bool upgrade_is_under_way(const struct upgrade *u)
{
        return u->step != STEP_NONE;
}

/* --- life --- */

struct upgrade *upgrade_new(struct supervisor *s, unsigned number)
{
        struct upgrade *u = xcalloc(1, sizeof(*u));

        u->s = s;
        u->number = number;
        u->program = xasprintf("%s/orch-supervisor", s->bin_dir);
        u->settle = loop_timer_new(s->loop, on_settle, u);
        if (number == 0)
                tell(u, UPGRADE_NONE, "");
        return u;
}

void upgrade_free(struct upgrade *u)
{
        if (u == NULL)
                return;
        trial_free(u->trial);
        loop_timer_free(u->settle);
        free(u->program);
        free(u);
}
