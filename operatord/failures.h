/*
 * failures.h - how often each peer has come with a token that is none, and whether that was too often.
 *
 * A peer has FAILURES_BURST failures, and one more every FAILURES_REFILL_MS. Beyond them it is told to wait.
 * A good token is let in all the same: it cannot be guessed at any rate, and peers behind one address, such
 * as everybody on this host, could lock each other out. Only the FAILURES_PEERS latest peers are remembered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FAILURES_PEERS     256
#define FAILURES_BURST     10
#define FAILURES_REFILL_MS 5000

struct failures;
struct peer;

struct failures *failures_new(void);
void failures_free(struct failures *f); /* NULL is fine */
/* One more failure: true when the peer has had too many. */
bool failures_add(struct failures *f, const struct peer *peer, int64_t now_ms);
