/* failures.c - see failures.h: a bucket that drips, for each peer. */
#include "operatord/failures.h"

#include <stdlib.h>

#include "common/mem.h"
#include "web/peer.h"

struct record {
        struct peer peer;
        int64_t full_ms; /* when its bucket is full again; long ago: nothing is remembered */
};

struct failures {
        struct record records[FAILURES_PEERS];
};

struct failures *failures_new(void)
{
        return xcalloc(1, sizeof(struct failures));
}

void failures_free(struct failures *f)
{
        free(f);
}

/* The peer's own record, else the one whose bucket is full soonest. */
static struct record *find(struct failures *f, const struct peer *peer)
{
        struct record *oldest = &f->records[0];
        for (size_t i = 0; i < FAILURES_PEERS; i++) {
                struct record *r = &f->records[i];
                if (r->full_ms != 0 && peer_same(&r->peer, peer))
                        return r;
                if (r->full_ms < oldest->full_ms)
                        oldest = r;
        }
        *oldest = (struct record){.peer = *peer};
        return oldest;
}

bool failures_add(struct failures *f, const struct peer *peer, int64_t now_ms)
{
        struct record *r = find(f, peer);
        int64_t full_ms = (r->full_ms > now_ms ? r->full_ms : now_ms) + FAILURES_REFILL_MS;
        if (full_ms - now_ms > (int64_t)FAILURES_BURST * FAILURES_REFILL_MS)
                return true; /* not counted: who goes on trying waits no longer than that */
        r->full_ms = full_ms;
        return false;
}
