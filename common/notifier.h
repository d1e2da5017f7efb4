/*
 * notifier.h - the port to people who must act: `log` (one line, event=alert); others later. An alert carries
 * a key, so that a port which can look finds one already sent.
 */
#pragma once

#include <stddef.h>

#include "common/port.h"

struct loop;
struct notifier;
struct notifier_call;

struct notifier_ops {
        const char *name;
        struct notifier_call *(*alert)(struct notifier *n, const char *key, const char *subject,
                                       const char *text, port_answer_fn *fn, void *arg);
        void (*cancel)(struct notifier_call *call);
        void (*free)(struct notifier *n);
};

/* First member of each adapter's own struct. */
struct notifier {
        const struct notifier_ops *ops;
};

static inline struct notifier_call *notifier_alert(struct notifier *n, const char *key, const char *subject,
                                                   const char *text, port_answer_fn *fn, void *arg)
{
        return n->ops->alert(n, key, subject, text, fn, arg);
}

static inline void notifier_cancel(struct notifier *n, struct notifier_call *call)
{
        if (call != NULL)
                n->ops->cancel(call);
}

static inline void notifier_free(struct notifier *n)
{
        if (n != NULL)
                n->ops->free(n);
}

struct notifier *notifier_log_new(struct loop *loop);
