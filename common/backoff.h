/* backoff.h - how long to wait before trying again. Pure arithmetic; `random` in [0,1) comes from the caller.
 */
#pragma once

#include <stdint.h>

struct backoff {
        int64_t min_ms;
        int64_t max_ms;
        unsigned attempts; /* failures so far */
};

/* Full jitter, at the first wait too: uniform in [min, min(max, min * 2^(attempts + 1))]; counts one more.
 * Never overflows. */
int64_t backoff_next_ms(struct backoff *b, double random);
void backoff_reset(struct backoff *b);
/* A random number in [0,1) from getrandom(2). */
double backoff_random(void);
