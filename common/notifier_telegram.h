/* notifier_telegram.h - the pure half of the Telegram adapter. */
#pragma once

#include <stdint.h>

#include "common/rest.h"

struct strbuf;

#define TELEGRAM_TRIES_MAX 4 /* of one message: each cause to try again comes once */

/* What to do about an answer of the Bot API. */
enum telegram_next {
        TELEGRAM_END = 0,    /* *ret says what came of it */
        TELEGRAM_PLAIN,      /* the markup was not understood: again without */
        TELEGRAM_NO_THREAD,  /* the topic is gone: again without */
        TELEGRAM_OTHER_CHAT, /* *ret_chat is where the chat has moved to: again there */
};

/* Decides by the code and the short parts of the description that are stable. */
enum telegram_next telegram_answer(const struct rest_answer *answer, struct port_answer *ret,
                                   int64_t *ret_chat);
/* Appends at most `units` UTF-16 units of `text`, cut between characters, with "…" when something is missing;
 * bytes that are no UTF-8 become U+FFFD. */
void telegram_cut(struct strbuf *sb, const char *text, size_t units);
