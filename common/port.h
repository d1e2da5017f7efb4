/*
 * port.h - how every port to the outside answers: tracker.h, forge.h, notifier.h.
 *
 * A call starts work and returns; its answer comes once, from the loop, never before the call has returned.
 * Calls are idempotent by what they are given (a hidden marker, an expected commit), so that PORT_UNKNOWN is
 * repeated safely after a look.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

enum port_outcome {
        PORT_OK = 0,      /* done, or found already done */
        PORT_NOT_FOUND,   /* the object is not there; for a deletion that is success */
        PORT_CONFLICT,    /* it is not as the caller expected: another commit, another state */
        PORT_REFUSED,     /* against a rule of ours or theirs; repeating will not help */
        PORT_DENIED,      /* our token is not taken, or cannot be read: nothing was done; again when it was
                             replaced */
        PORT_FORBIDDEN,   /* our token is taken, and was not given the right to this: nothing was done; again
                             when it was */
        PORT_LIMITED,     /* rate limited: not before retry_after_s */
        PORT_UNAVAILABLE, /* nothing was done; try again later */
        PORT_UNKNOWN,     /* perhaps done: look, or repeat what is idempotent */
};

struct port_answer {
        enum port_outcome outcome;
        int64_t retry_after_s; /* PORT_LIMITED; else -1 */
        struct errinfo err;    /* why it is not PORT_OK */
};

/* The answer is borrowed for the duration of the call. */
typedef void port_answer_fn(void *arg, const struct port_answer *answer);
/* The same with what was answered, in words of ours: NULL unless the outcome is PORT_OK. Borrowed, too. */
typedef void port_json_fn(void *arg, const struct port_answer *answer, const char *json);

/* Whether it is the trouble of the service, or of who keeps its token, and not of what was asked: that waits.
 * Nothing was done. */
bool port_waits(enum port_outcome outcome);
/* "ok", "not-found", ...: in logs and rows. */
const char *port_outcome_name(enum port_outcome outcome);
