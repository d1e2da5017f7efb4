/* notifier_log.c - alerts as log lines: event=alert. Who collects the log sees them; nothing can go wrong. */
#include "common/notifier.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"

struct notifier_log {
        struct notifier notifier;
        struct loop *loop;
};

struct notifier_call {
        struct loop_timer *timer;
        port_answer_fn *fn;
        void *arg;
};

static void log_cancel(struct notifier_call *call)
{
        loop_timer_free(call->timer);
        free(call);
}

static void on_timer(void *arg)
{
        struct notifier_call *call = arg;
        const struct port_answer answer = {.outcome = PORT_OK, .retry_after_s = -1, .err = ERRINFO_INIT};
        port_answer_fn *fn = call->fn;
        void *fn_arg = call->arg;
        log_cancel(call);
        fn(fn_arg, &answer);
}

static struct notifier_call *log_alert(struct notifier *n, const char *key, const char *subject,
                                       const char *text, port_answer_fn *fn, void *arg)
{
        struct notifier_log *log = (struct notifier_log *)n;
        struct notifier_call *call = xcalloc(1, sizeof(*call));
        log_error(EV("alert"), LF_S("key", key), LF_S("subject", subject), LF_S("text", text));
        call->fn = fn;
        call->arg = arg;
        call->timer = loop_timer_new(log->loop, on_timer, call);
        loop_timer_soon(call->timer);
        return call;
}

static void log_free(struct notifier *n)
{
        free(n);
}

struct notifier *notifier_log_new(struct loop *loop)
{
        static const struct notifier_ops ops = {
                .name = "log", .alert = log_alert, .cancel = log_cancel, .free = log_free};
        struct notifier_log *log = xcalloc(1, sizeof(*log));
        log->notifier.ops = &ops;
        log->loop = loop;
        return &log->notifier;
}
