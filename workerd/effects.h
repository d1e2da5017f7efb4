/*
 * effects.h - executes the outbox: claims effects that are due, calls the port, records what came of it.
 *
 * At-least-once: an effect whose answer was lost is tried again, and every port call is idempotent by what it
 * is given. The order per object is the claim's: an object has one effect under way at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/port.h"

struct db;
struct git;
struct loop;
struct strbuf;
struct effects;

struct effects_config {
        struct loop *loop;
        struct db *db;
        struct git *git;
        void (*on_unsure)(void *arg); /* a claim's answer was lost: we may hold what we do not know of */
        void (*on_idle)(void *arg);   /* nothing is under way any more */
        void *arg;
};

struct effects *effects_new(const struct effects_config *cfg);
void effects_free(struct effects *fx);
/* There may be something: claims and executes until nothing is due. Until then `process` and `epoch` are
 * ours. */
void effects_wake(struct effects *fx, int64_t process, int64_t epoch);
void effects_stop(struct effects *fx); /* claims no more; what is under way goes on */
bool effects_idle(const struct effects *fx);
bool effects_claiming(const struct effects *fx);
/* Appends the ids under way, separated by commas. */
void effects_ids(const struct effects *fx, struct strbuf *sb);

/* Pure: what the outbox is told. "done", "retry" or "dead". */
const char *effects_verdict(enum port_outcome outcome);
