/* restart.c - the arithmetic of restart.h. */
#include "supervisor/restart.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

const char *restart_cause_text(enum restart_cause cause)
{
        static const char *const texts[] = {
                [RESTART_DIED] = "died",
                [RESTART_CONFIG] = "configuration",
                [RESTART_SCARCE] = "no-resources",
        };

        return texts[cause];
}

enum restart_cause restart_cause_of_failed_start(int r)
{
        bool scarce = r == -EAGAIN || r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -ENOSPC;

        return scarce ? RESTART_SCARCE : RESTART_DIED;
}

/* first, 2 * first, 4 * first .. longest, for the n-th failure in a row (n >= 1). */
static int64_t doubled(int64_t longest, unsigned n)
{
        int64_t ms = RESTART_FIRST_MS;

        while (n-- > 1 && ms < longest)
                ms *= 2;
        return ms < longest ? ms : longest;
}

static unsigned one_more(unsigned n)
{
        return n < UINT_MAX ? n + 1 : n;
}

static int64_t jittered(int64_t ms, double random)
{
        double share = (random * 2 - 1) * RESTART_JITTER_PERCENT / 100;

        return ms + (int64_t)((double)ms * share);
}

/* Notes a death; true when it is the RESTART_DEATHS-th within the window. */
static bool tally(struct restart *r, int64_t now_ms)
{
        r->died_ms[r->deaths++ % RESTART_DEATHS] = now_ms;
        if (r->deaths < RESTART_DEATHS)
                return false;
        return now_ms - r->died_ms[r->deaths % RESTART_DEATHS] < RESTART_WINDOW_MS; /* the oldest one kept */
}

struct restart_verdict restart_decide(struct restart *r, enum restart_cause cause, int64_t ready_ms,
                                      int64_t now_ms, double random)
{
        bool settled = ready_ms >= RESTART_SETTLED_MS;

        if (cause == RESTART_SCARCE) {
                r->scarce = one_more(r->scarce);
                return (struct restart_verdict){RESTART_BACKOFF,
                                                jittered(doubled(RESTART_SCARCE_MS, r->scarce), random)};
        }
        r->scarce = 0;
        r->unsettled = settled ? 0 : one_more(r->unsettled);
        if (tally(r, now_ms) || cause == RESTART_CONFIG)
                return (struct restart_verdict){RESTART_THROTTLED, RESTART_THROTTLE_MS};
        if (settled)
                return (struct restart_verdict){RESTART_NOW, 0};
        return (struct restart_verdict){RESTART_BACKOFF,
                                        jittered(doubled(RESTART_LONGEST_MS, r->unsettled), random)};
}
