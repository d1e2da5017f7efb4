/*
 * notifier.h - the port to people: `log` (one line, event=alert), `telegram`. An alert carries a key, so that
 * a port which can look finds one already sent. A card is one message for each task, kept up to date (I-5).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/port.h"

struct loop;
struct notifier;
struct notifier_call;

struct notifier_card {
        const char *html; /* with the markup that Telegram knows, everything else escaped */
        int64_t message;  /* of the card so far; 0: there is none yet */
};

struct notifier_card_answer {
        struct port_answer port; /* PORT_NOT_FOUND: that message cannot be edited (any more): send another */
        int64_t message;         /* that shows the card now; 0: none is known */
};

typedef void notifier_card_fn(void *arg, const struct notifier_card_answer *answer);

struct notifier_ops {
        const char *name;
        struct notifier_call *(*alert)(struct notifier *n, const char *key, const char *subject,
                                       const char *text, port_answer_fn *fn, void *arg);
        struct notifier_call *(*card)(struct notifier *n, const struct notifier_card *card,
                                      notifier_card_fn *fn, void *arg); /* NULL: it has no cards */
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

static inline struct notifier_call *notifier_show_card(struct notifier *n, const struct notifier_card *card,
                                                       notifier_card_fn *fn, void *arg)
{
        return n->ops->card(n, card, fn, arg);
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

struct http_client;
struct notifier_telegram_config {
        struct http_client *http; /* borrowed */
        const char *url;          /* "https://api.telegram.org" */
        const char *token_file;
        int64_t chat;
        int64_t thread; /* of a forum; 0: none */
};
/* Borrows the client, copies the rest. */
struct notifier *notifier_telegram_new(const struct notifier_telegram_config *cfg);
