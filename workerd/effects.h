/*
 * effects.h - executes the outbox: claims effects that are due, calls the port, records what came of it.
 *
 * At-least-once: an effect whose answer was lost is tried again, and every port call is idempotent by what it
 * is given. A claim of ours that no longer is under way here, because its end could not be recorded, is named
 * by the next beat (effects_unknown()), and given back. The order per object is the claim's: an object has
 * one effect under way at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/port.h"

struct db;
struct git;
struct http_client;
struct loop;
struct claim_names;
struct strbuf;
struct effects;

struct effects_config {
        struct loop *loop;
        struct db *db;
        struct git *git;
        struct http_client *http;     /* borrowed */
        const char *hook_secret_file; /* of the webhooks that are made; "": none can be. Copied */
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
/* Appends those of the named claims that are not under way here, separated by commas. */
void effects_unknown(const struct effects *fx, const struct claim_names *named, struct strbuf *sb);

/* Pure: what the outbox is told. "done", "retry" or "dead". */
const char *effects_verdict(enum port_outcome outcome);
