/* budget.c - see budget.h. */
#include "web/budget.h"

#include <assert.h>
#include <stdlib.h>

#include "common/loop.h"
#include "common/mem.h"

TAILQ_HEAD(claim_list, budget_claim);

struct budget {
        int64_t limit;
        int64_t used;
        struct budget_claim *beyond; /* the one claim that may exceed the limit */
        struct claim_list waiting;
        struct loop_timer *wake;
};

/* Everyone who waits gets one try, in order: who is still refused queues again behind the others. */
static void on_wake(void *arg)
{
        struct budget *b = arg;
        struct budget_claim *last = TAILQ_LAST(&b->waiting, claim_list);
        struct budget_claim *c;
        while ((c = TAILQ_FIRST(&b->waiting)) != NULL && b->used < b->limit) {
                bool is_last = c == last;
                TAILQ_REMOVE(&b->waiting, c, link);
                c->waiting = false;
                c->on_room(c->arg);
                if (is_last)
                        break;
        }
}

struct budget *budget_new(struct loop *loop, int64_t limit_bytes)
{
        struct budget *b = xcalloc(1, sizeof(*b));
        b->limit = limit_bytes;
        TAILQ_INIT(&b->waiting);
        b->wake = loop_timer_new(loop, on_wake, b);
        return b;
}

void budget_free(struct budget *b)
{
        if (b == NULL)
                return;
        assert(b->used == 0 && TAILQ_EMPTY(&b->waiting));
        loop_timer_free(b->wake);
        free(b);
}

static void wake_soon(struct budget *b)
{
        if (!TAILQ_EMPTY(&b->waiting))
                loop_timer_soon(b->wake);
}

void budget_set_limit(struct budget *b, int64_t limit_bytes)
{
        b->limit = limit_bytes;
        wake_soon(b);
}

int64_t budget_used(const struct budget *b)
{
        return b->used;
}

bool budget_take(struct budget *b, struct budget_claim *c, int64_t bytes)
{
        assert(!c->waiting);
        if (b->used + bytes > b->limit) {
                if (b->beyond == NULL)
                        b->beyond = c;
                if (b->beyond != c) {
                        c->waiting = true;
                        TAILQ_INSERT_TAIL(&b->waiting, c, link);
                        return false;
                }
        }
        c->bytes += bytes;
        b->used += bytes;
        return true;
}

void budget_return(struct budget *b, struct budget_claim *c)
{
        if (c->waiting)
                TAILQ_REMOVE(&b->waiting, c, link);
        c->waiting = false;
        if (b->beyond == c)
                b->beyond = NULL;
        b->used -= c->bytes;
        c->bytes = 0;
        wake_soon(b);
}
