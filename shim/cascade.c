/* cascade.c - the table, and the arithmetic of its clocks. */
#include "shim/cascade.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#define TO(state, action)                                                                                    \
        {                                                                                                    \
                CASCADE_##state, CASCADE_DO_##action                                                         \
        }

static const struct {
        enum cascade_state next;
        enum cascade_action action;
} table[CASCADE_N_STATES][CASCADE_N_EVENTS] = {
        [CASCADE_RUNNING] =
                {
                        [CASCADE_EV_LEADER] = TO(TERM, TERM),
                        [CASCADE_EV_CHILD] = TO(RUNNING, NOTHING),
                        [CASCADE_EV_NONE] = TO(GONE, REPORT),
                        [CASCADE_EV_STOP] = TO(TERM, TERM),
                        [CASCADE_EV_KILL] = TO(KILL, KILL),
                        [CASCADE_EV_SILENT] = TO(FROZEN, FREEZE),
                        [CASCADE_EV_RENEWED] = TO(RUNNING, NOTHING),
                        [CASCADE_EV_TIMER] = TO(RUNNING, NOTHING),
                },
        /* A death while frozen came from outside. The kernel continues stopped groups that lose their parent
         * by it, so the rest is stopped again; and without its leader there is nothing to keep. */
        [CASCADE_FROZEN] =
                {
                        [CASCADE_EV_LEADER] = TO(KILL, KILL),
                        [CASCADE_EV_CHILD] = TO(FROZEN, FREEZE),
                        [CASCADE_EV_NONE] = TO(GONE, REPORT),
                        [CASCADE_EV_STOP] = TO(TERM, TERM_THAW),
                        [CASCADE_EV_KILL] = TO(KILL, KILL),
                        [CASCADE_EV_SILENT] = TO(FROZEN, NOTHING),
                        [CASCADE_EV_RENEWED] = TO(RUNNING, THAW),
                        [CASCADE_EV_TIMER] = TO(FROZEN, FREEZE),
                },
        /* What is about to go is not frozen: it is killed. */
        [CASCADE_TERM] =
                {
                        [CASCADE_EV_LEADER] = TO(TERM, TERM),
                        [CASCADE_EV_CHILD] = TO(TERM, TERM),
                        [CASCADE_EV_NONE] = TO(GONE, REPORT),
                        [CASCADE_EV_STOP] = TO(TERM, NOTHING),
                        [CASCADE_EV_KILL] = TO(KILL, KILL),
                        [CASCADE_EV_SILENT] = TO(KILL, KILL),
                        [CASCADE_EV_RENEWED] = TO(TERM, NOTHING),
                        [CASCADE_EV_TIMER] = TO(KILL, KILL),
                },
        [CASCADE_KILL] =
                {
                        [CASCADE_EV_LEADER] = TO(KILL, KILL),
                        [CASCADE_EV_CHILD] = TO(KILL, KILL),
                        [CASCADE_EV_NONE] = TO(GONE, REPORT),
                        [CASCADE_EV_STOP] = TO(KILL, NOTHING),
                        [CASCADE_EV_KILL] = TO(KILL, NOTHING),
                        [CASCADE_EV_SILENT] = TO(KILL, NOTHING),
                        [CASCADE_EV_RENEWED] = TO(KILL, NOTHING),
                        [CASCADE_EV_TIMER] = TO(KILL, KILL),
                },
        [CASCADE_STUCK] =
                {
                        [CASCADE_EV_LEADER] = TO(STUCK, KILL),
                        [CASCADE_EV_CHILD] = TO(STUCK, KILL),
                        [CASCADE_EV_NONE] = TO(GONE, NOTHING),
                        [CASCADE_EV_STOP] = TO(STUCK, NOTHING),
                        [CASCADE_EV_KILL] = TO(STUCK, NOTHING),
                        [CASCADE_EV_SILENT] = TO(STUCK, NOTHING),
                        [CASCADE_EV_RENEWED] = TO(STUCK, NOTHING),
                        [CASCADE_EV_TIMER] = TO(STUCK, KILL),
                },
        [CASCADE_GONE] =
                {
                        [CASCADE_EV_LEADER] = TO(GONE, NOTHING),
                        [CASCADE_EV_CHILD] = TO(GONE, NOTHING),
                        [CASCADE_EV_NONE] = TO(GONE, NOTHING),
                        [CASCADE_EV_STOP] = TO(GONE, NOTHING),
                        [CASCADE_EV_KILL] = TO(GONE, NOTHING),
                        [CASCADE_EV_SILENT] = TO(GONE, NOTHING),
                        [CASCADE_EV_RENEWED] = TO(GONE, NOTHING),
                        [CASCADE_EV_TIMER] = TO(GONE, NOTHING),
                },
};

/* What it means that a clock is over. */
static const struct {
        enum cascade_event ev;
        enum cascade_cause cause;
} clocks[CASCADE_N_CLOCKS] = {
        [CASCADE_CLOCK_WALL] = {CASCADE_EV_STOP, CASCADE_CAUSE_WALL},
        [CASCADE_CLOCK_START] = {CASCADE_EV_STOP, CASCADE_CAUSE_START},
        [CASCADE_CLOCK_IDLE] = {CASCADE_EV_STOP, CASCADE_CAUSE_IDLE},
        [CASCADE_CLOCK_RESULT] = {CASCADE_EV_STOP, CASCADE_CAUSE_RESULT},
        [CASCADE_CLOCK_SILENT] = {CASCADE_EV_SILENT, CASCADE_CAUSE_NONE},
        [CASCADE_CLOCK_FROZEN] = {CASCADE_EV_KILL, CASCADE_CAUSE_ABANDONED},
        [CASCADE_CLOCK_STATE] = {CASCADE_EV_TIMER, CASCADE_CAUSE_NONE},
};
#define FIRST_CLOCK_OF_WORK CASCADE_CLOCK_WALL
#define LAST_CLOCK_OF_WORK  CASCADE_CLOCK_RESULT

static int64_t after(int64_t now_ms, int64_t ms)
{
        return ms > CASCADE_NEVER - now_ms ? CASCADE_NEVER : now_ms + ms;
}

static int64_t over(int64_t now_ms, int64_t limit_ms)
{
        return limit_ms > 0 ? after(now_ms, limit_ms) : CASCADE_NEVER;
}

static void stop_clocks(struct cascade *c, enum cascade_clock first, enum cascade_clock last)
{
        for (int i = first; i <= (int)last; i++)
                c->at_ms[i] = CASCADE_NEVER;
}

void cascade_init(struct cascade *c, const struct cascade_limits *limits, int64_t now_ms, int64_t renewed_ms)
{
        *c = (struct cascade){.limits = *limits, .state = CASCADE_RUNNING};
        stop_clocks(c, 0, CASCADE_N_CLOCKS - 1);
        c->renewed_ms = renewed_ms < now_ms ? renewed_ms : now_ms;
        c->at_ms[CASCADE_CLOCK_WALL] = over(now_ms, limits->wall_ms);
        c->at_ms[CASCADE_CLOCK_START] = over(now_ms, limits->start_ms);
        c->at_ms[CASCADE_CLOCK_SILENT] = over(c->renewed_ms, limits->freeze_ms);
}

/* Back from CASCADE_FROZEN: the clocks of the work go on where they stood. */
static void set_clocks_on(struct cascade *c, int64_t now_ms)
{
        for (int i = FIRST_CLOCK_OF_WORK; i <= LAST_CLOCK_OF_WORK; i++)
                if (c->at_ms[i] != CASCADE_NEVER)
                        c->at_ms[i] = after(c->at_ms[i], now_ms - c->frozen_ms);
        stop_clocks(c, CASCADE_CLOCK_FROZEN, CASCADE_CLOCK_STATE);
}

static void enter(struct cascade *c, enum cascade_state next, int64_t now_ms)
{
        c->state = next;
        switch (next) {
        case CASCADE_RUNNING:
                set_clocks_on(c, now_ms);
                break;
        case CASCADE_FROZEN:
                c->frozen_ms = now_ms;
                c->at_ms[CASCADE_CLOCK_SILENT] = CASCADE_NEVER;
                c->at_ms[CASCADE_CLOCK_FROZEN] = over(now_ms, c->limits.frozen_kill_ms);
                c->at_ms[CASCADE_CLOCK_STATE] = after(now_ms, CASCADE_FREEZE_MS);
                break;
        case CASCADE_TERM:
                stop_clocks(c, FIRST_CLOCK_OF_WORK, LAST_CLOCK_OF_WORK);
                c->at_ms[CASCADE_CLOCK_FROZEN] = CASCADE_NEVER;
                c->at_ms[CASCADE_CLOCK_STATE] = after(now_ms, c->limits.grace_ms);
                break;
        case CASCADE_KILL:
                stop_clocks(c, 0, CASCADE_N_CLOCKS - 1);
                c->at_ms[CASCADE_CLOCK_STATE] = after(now_ms, CASCADE_REPEAT_MS);
                c->patience_ms = after(now_ms, CASCADE_PATIENCE_MS);
                break;
        default:
                stop_clocks(c, 0, CASCADE_N_CLOCKS - 1);
                break;
        }
}

/* A round of signals was due: the state stays, and the next round is set. Patience over: the one edge that a
 * clock decides beside the table. */
static enum cascade_action next_round(struct cascade *c, enum cascade_action action, int64_t now_ms)
{
        static const int64_t pause_ms[CASCADE_N_STATES] = {
                [CASCADE_FROZEN] = CASCADE_FREEZE_MS,
                [CASCADE_KILL] = CASCADE_REPEAT_MS,
                [CASCADE_STUCK] = CASCADE_STUCK_MS,
        };
        if (c->state == CASCADE_KILL && now_ms >= c->patience_ms) {
                c->state = CASCADE_STUCK;
                action = CASCADE_DO_REPORT;
        }
        c->at_ms[CASCADE_CLOCK_STATE] = over(now_ms, pause_ms[c->state]);
        return action;
}

enum cascade_action cascade_on(struct cascade *c, enum cascade_event ev, enum cascade_cause cause,
                               int64_t now_ms)
{
        assert(c->state < CASCADE_N_STATES && ev < CASCADE_N_EVENTS);
        enum cascade_state next = table[c->state][ev].next;
        enum cascade_action action = table[c->state][ev].action;

        if (c->state <= CASCADE_FROZEN && (ev == CASCADE_EV_STOP || ev == CASCADE_EV_KILL))
                c->cause = cause;
        if (next != c->state)
                enter(c, next, now_ms);
        else if (ev == CASCADE_EV_TIMER)
                action = next_round(c, action, now_ms);
        return action;
}

static bool stands_still(const struct cascade *c, int clock)
{
        return c->state == CASCADE_FROZEN && clock <= LAST_CLOCK_OF_WORK;
}

/* The clock that is over first; CASCADE_N_CLOCKS: none runs. */
static int first_clock(const struct cascade *c)
{
        int first = CASCADE_N_CLOCKS;
        int64_t first_ms = CASCADE_NEVER;
        for (int i = 0; i < CASCADE_N_CLOCKS; i++) {
                if (c->at_ms[i] < first_ms && !stands_still(c, i)) {
                        first = i;
                        first_ms = c->at_ms[i];
                }
        }
        return first;
}

int64_t cascade_deadline(const struct cascade *c)
{
        int clock = first_clock(c);
        return clock == CASCADE_N_CLOCKS ? CASCADE_NEVER : c->at_ms[clock];
}

enum cascade_action cascade_tick(struct cascade *c, int64_t now_ms)
{
        int clock = first_clock(c);
        if (clock == CASCADE_N_CLOCKS || now_ms < c->at_ms[clock])
                return CASCADE_DO_NOTHING;
        return cascade_on(c, clocks[clock].ev, clocks[clock].cause, now_ms);
}

/* What is read while it is frozen was written before. */
static int64_t written_ms(const struct cascade *c, int64_t now_ms)
{
        return c->state == CASCADE_FROZEN ? c->frozen_ms : now_ms;
}

void cascade_output(struct cascade *c, int64_t now_ms)
{
        if (c->state > CASCADE_FROZEN)
                return;
        c->at_ms[CASCADE_CLOCK_START] = CASCADE_NEVER;
        if (c->at_ms[CASCADE_CLOCK_RESULT] == CASCADE_NEVER)
                c->at_ms[CASCADE_CLOCK_IDLE] = over(written_ms(c, now_ms), c->limits.idle_ms);
}

void cascade_result(struct cascade *c, int64_t now_ms)
{
        if (c->state > CASCADE_FROZEN || c->limits.after_result_ms == 0)
                return;
        c->at_ms[CASCADE_CLOCK_IDLE] = CASCADE_NEVER;
        c->at_ms[CASCADE_CLOCK_RESULT] = over(written_ms(c, now_ms), c->limits.after_result_ms);
}

int cascade_renew(struct cascade *c, int64_t sent_ms, int64_t now_ms, enum cascade_action *ret_action)
{
        *ret_action = CASCADE_DO_NOTHING;
        if (sent_ms > now_ms)
                return -EINVAL;
        if (sent_ms <= c->renewed_ms)
                return 0;
        c->renewed_ms = sent_ms;
        int64_t until_ms = over(sent_ms, c->limits.freeze_ms);
        if (until_ms <= now_ms)
                return 0;
        if (c->state <= CASCADE_TERM)
                c->at_ms[CASCADE_CLOCK_SILENT] = until_ms;
        *ret_action = cascade_on(c, CASCADE_EV_RENEWED, CASCADE_CAUSE_NONE, now_ms);
        return 0;
}

const char *cascade_state_name(enum cascade_state state)
{
        static const char *const names[CASCADE_N_STATES] = {
                [CASCADE_RUNNING] = "running", [CASCADE_FROZEN] = "frozen", [CASCADE_TERM] = "stopping",
                [CASCADE_KILL] = "stopping",   [CASCADE_STUCK] = "ended",   [CASCADE_GONE] = "ended",
        };
        return names[state];
}

const char *cascade_cause_name(enum cascade_cause cause)
{
        static const char *const names[] = {
                [CASCADE_CAUSE_NONE] = "",
                [CASCADE_CAUSE_WALL] = "wall",
                [CASCADE_CAUSE_START] = "start",
                [CASCADE_CAUSE_IDLE] = "idle",
                [CASCADE_CAUSE_RESULT] = "after-result",
                [CASCADE_CAUSE_CANCELLED] = "cancelled",
                [CASCADE_CAUSE_SHUTDOWN] = "shutdown",
                [CASCADE_CAUSE_KILLED] = "killed",
                [CASCADE_CAUSE_ABANDONED] = "abandoned",
                [CASCADE_CAUSE_SIGNAL] = "signal",
        };
        return names[cause];
}
