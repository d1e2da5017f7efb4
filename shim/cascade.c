/* cascade.c - the table, and the arithmetic of its deadlines. */
#include "shim/cascade.h"

#include <assert.h>

static const struct {
        enum cascade_state next;
        enum cascade_action action;
} table[CASCADE_N_STATES][CASCADE_N_EVENTS] = {
        [CASCADE_RUNNING] =
                {
                        [CASCADE_EV_LEADER] = {CASCADE_TERM, CASCADE_DO_TERM},
                        [CASCADE_EV_CHILD] = {CASCADE_RUNNING, CASCADE_DO_NOTHING},
                        [CASCADE_EV_NONE] = {CASCADE_GONE, CASCADE_DO_REPORT},
                        [CASCADE_EV_STOP] = {CASCADE_TERM, CASCADE_DO_TERM},
                        [CASCADE_EV_TIMER] = {CASCADE_TERM, CASCADE_DO_TERM},
                },
        [CASCADE_TERM] =
                {
                        [CASCADE_EV_LEADER] = {CASCADE_TERM, CASCADE_DO_TERM},
                        [CASCADE_EV_CHILD] = {CASCADE_TERM, CASCADE_DO_TERM},
                        [CASCADE_EV_NONE] = {CASCADE_GONE, CASCADE_DO_REPORT},
                        [CASCADE_EV_STOP] = {CASCADE_TERM, CASCADE_DO_NOTHING},
                        [CASCADE_EV_TIMER] = {CASCADE_KILL, CASCADE_DO_KILL},
                },
        [CASCADE_KILL] =
                {
                        [CASCADE_EV_LEADER] = {CASCADE_KILL, CASCADE_DO_KILL},
                        [CASCADE_EV_CHILD] = {CASCADE_KILL, CASCADE_DO_KILL},
                        [CASCADE_EV_NONE] = {CASCADE_GONE, CASCADE_DO_REPORT},
                        [CASCADE_EV_STOP] = {CASCADE_KILL, CASCADE_DO_NOTHING},
                        [CASCADE_EV_TIMER] = {CASCADE_KILL, CASCADE_DO_KILL},
                },
        [CASCADE_STUCK] =
                {
                        [CASCADE_EV_LEADER] = {CASCADE_STUCK, CASCADE_DO_KILL},
                        [CASCADE_EV_CHILD] = {CASCADE_STUCK, CASCADE_DO_KILL},
                        [CASCADE_EV_NONE] = {CASCADE_GONE, CASCADE_DO_NOTHING},
                        [CASCADE_EV_STOP] = {CASCADE_STUCK, CASCADE_DO_NOTHING},
                        [CASCADE_EV_TIMER] = {CASCADE_STUCK, CASCADE_DO_KILL},
                },
        [CASCADE_GONE] =
                {
                        [CASCADE_EV_LEADER] = {CASCADE_GONE, CASCADE_DO_NOTHING},
                        [CASCADE_EV_CHILD] = {CASCADE_GONE, CASCADE_DO_NOTHING},
                        [CASCADE_EV_NONE] = {CASCADE_GONE, CASCADE_DO_NOTHING},
                        [CASCADE_EV_STOP] = {CASCADE_GONE, CASCADE_DO_NOTHING},
                        [CASCADE_EV_TIMER] = {CASCADE_GONE, CASCADE_DO_NOTHING},
                },
};

static int64_t after(int64_t now_ms, int64_t ms)
{
        return ms > CASCADE_NEVER - now_ms ? CASCADE_NEVER : now_ms + ms;
}

void cascade_init(struct cascade *c, int64_t now_ms, int64_t wall_ms, int64_t grace_ms)
{
        *c = (struct cascade){.state = CASCADE_RUNNING, .grace_ms = grace_ms};
        c->deadline_ms = wall_ms > 0 ? after(now_ms, wall_ms) : CASCADE_NEVER;
}

static void enter(struct cascade *c, enum cascade_state next, int64_t now_ms)
{
        c->state = next;
        switch (next) {
        case CASCADE_TERM:
                c->deadline_ms = after(now_ms, c->grace_ms);
                break;
        case CASCADE_KILL:
                c->deadline_ms = after(now_ms, CASCADE_REPEAT_MS);
                c->patience_ms = after(now_ms, CASCADE_PATIENCE_MS);
                break;
        default:
                c->deadline_ms = CASCADE_NEVER;
                break;
        }
}

/* A round of signals was due: the state stays, and the next round is set. Patience over: the one edge that a
 * clock decides beside the table. */
static enum cascade_action next_round(struct cascade *c, enum cascade_action action, int64_t now_ms)
{
        if (c->state == CASCADE_KILL && now_ms >= c->patience_ms) {
                c->state = CASCADE_STUCK;
                action = CASCADE_DO_REPORT;
        }
        if (c->state != CASCADE_GONE)
                c->deadline_ms =
                        after(now_ms, c->state == CASCADE_STUCK ? CASCADE_STUCK_MS : CASCADE_REPEAT_MS);
        return action;
}

enum cascade_action cascade_on(struct cascade *c, enum cascade_event ev, enum cascade_cause cause,
                               int64_t now_ms)
{
        assert(c->state < CASCADE_N_STATES && ev < CASCADE_N_EVENTS);
        enum cascade_state next = table[c->state][ev].next;
        enum cascade_action action = table[c->state][ev].action;

        if (c->state == CASCADE_RUNNING && ev == CASCADE_EV_STOP)
                c->cause = cause;
        if (c->state == CASCADE_RUNNING && ev == CASCADE_EV_TIMER)
                c->cause = CASCADE_CAUSE_WALL;
        if (next != c->state)
                enter(c, next, now_ms);
        else if (ev == CASCADE_EV_TIMER)
                action = next_round(c, action, now_ms);
        return action;
}

const char *cascade_cause_name(enum cascade_cause cause)
{
        switch (cause) {
        case CASCADE_CAUSE_CANCELLED:
                return "cancelled";
        case CASCADE_CAUSE_SHUTDOWN:
                return "shutdown";
        case CASCADE_CAUSE_ORPHANED:
                return "orphaned";
        case CASCADE_CAUSE_SIGNAL:
                return "signal";
        case CASCADE_CAUSE_NONE:
        case CASCADE_CAUSE_WALL:
                break;
        }
        return "";
}
