/* backoff.c - exponential backoff with full jitter. */
#include "common/backoff.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

int64_t backoff_next_ms(struct backoff *b, double random)
{
        assert(b->min_ms >= 0 && b->max_ms >= b->min_ms && random >= 0 && random < 1);
        int64_t ceiling = b->min_ms;
        /* the first wait is spread, too: after a restart everybody has lost its connection at the same moment
         */
        for (unsigned i = 0; i <= b->attempts && ceiling < b->max_ms; i++)
                ceiling = ceiling > b->max_ms / 2 ? b->max_ms : ceiling * 2;
        if (b->attempts < UINT32_MAX)
                b->attempts++;
        return b->min_ms + (int64_t)(random * (double)(ceiling - b->min_ms + 1));
}

void backoff_reset(struct backoff *b)
{
        b->attempts = 0;
}

double backoff_random(void)
{
        uint64_t bits;
        /* Small requests cannot be cut short or interrupted once the pool is up, and no daemon starts before
         * that. */
        if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
                abort();
        return (double)(bits >> 11) * 0x1p-53;
}
