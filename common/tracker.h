/*
 * tracker.h - the port to where people keep their work items: `local` (rows of our own database); others
 * later.
 *
 * The tracker shows what the pipeline does; it never drives it. States are logical keys ("in_review"); the
 * port maps them to what its board has. A comment carries a marker that readers do not see: the same marker
 * again is found and not written twice.
 */
#pragma once

#include <stddef.h>

#include "common/port.h"

struct tracker;
struct tracker_call;

struct tracker_ops {
        const char *name;
        struct tracker_call *(*set_state)(struct tracker *t, const char *work_item, const char *state,
                                          port_answer_fn *fn, void *arg);
        struct tracker_call *(*comment)(struct tracker *t, const char *work_item, const char *marker,
                                        const char *body, port_answer_fn *fn, void *arg);
        void (*cancel)(struct tracker_call *call);
        void (*free)(struct tracker *t);
};

/* First member of each adapter's own struct. */
struct tracker {
        const struct tracker_ops *ops;
};

/* All strings are copied. The call is freed by itself after its answer. */
static inline struct tracker_call *tracker_set_state(struct tracker *t, const char *work_item,
                                                     const char *state, port_answer_fn *fn, void *arg)
{
        return t->ops->set_state(t, work_item, state, fn, arg);
}

static inline struct tracker_call *tracker_comment(struct tracker *t, const char *work_item,
                                                   const char *marker, const char *body, port_answer_fn *fn,
                                                   void *arg)
{
        return t->ops->comment(t, work_item, marker, body, fn, arg);
}

/* The answer will not come; what was sent may still take effect. */
static inline void tracker_cancel(struct tracker *t, struct tracker_call *call)
{
        if (call != NULL)
                t->ops->cancel(call);
}

static inline void tracker_free(struct tracker *t)
{
        if (t != NULL)
                t->ops->free(t);
}

/* The local tracker: its items are rows behind two SQL functions. Borrows the connection. */
struct db;
struct tracker *tracker_local_new(struct db *db);
