/*
 * notifier_telegram.c - alerts and cards by the Bot API.
 *
 * Alerts are plain text: nothing that a person typed can break them. A message has no idempotency key and
 * cannot be looked for: one whose answer was lost is PORT_UNKNOWN, and the caller chooses between twice and
 * perhaps never. An edit is idempotent.
 */
#include "common/notifier_telegram.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/notifier.h"
#include "common/strbuf.h"
#include "common/utf8.h"

#define TEXT_UNITS_MAX 4000 /* Telegram takes 4096; what it counts exactly is nobody's promise */

struct telegram {
        struct notifier notifier;
        struct rest *rest;
        int64_t chat, thread;
};

struct notifier_call {
        struct telegram *telegram;
        struct rest_call *rest;
        char *text;
        bool markup, threaded;
        int64_t chat, message; /* message: to be edited, or 0 */
        unsigned tries;
        port_answer_fn *alert_fn;
        notifier_card_fn *card_fn;
        void *arg;
};

/* ---- text ---- */

void telegram_cut(struct strbuf *sb, const char *text, size_t units)
{
        size_t used = 0;
        while (*text != '\0') {
                uint32_t code_point;
                size_t len = utf8_decode(text, strnlen(text, 4), &code_point);
                size_t cost = len == 4 ? 2 : 1;
                size_t rest = text[len > 0 ? len : 1] != '\0';
                if (used + cost + rest > units) {
                        strbuf_addstr(sb, "\xe2\x80\xa6");
                        return;
                }
                if (len > 0)
                        strbuf_add(sb, text, len);
                else
                        strbuf_addstr(sb, "\xef\xbf\xbd");
                used += cost;
                text += len > 0 ? len : 1;
        }
}

/* ---- what an answer means ---- */

static enum telegram_next said(const char *why, const struct json *json, struct port_answer *ret,
                               int64_t *ret_chat)
{
        static const struct {
                const char *part;
                enum telegram_next next;
                enum port_outcome outcome;
        } rows[] = {
                {"message is not modified", TELEGRAM_END, PORT_OK},
                {"message to edit not found", TELEGRAM_END, PORT_NOT_FOUND},
                {"message can't be edited", TELEGRAM_END, PORT_NOT_FOUND},
                {"can't parse entities", TELEGRAM_PLAIN, PORT_REFUSED},
                {"message thread not found", TELEGRAM_NO_THREAD, PORT_REFUSED},
                {"chat not found", TELEGRAM_END, PORT_DENIED},
        };
        if (json_int(json_path(json, "parameters.migrate_to_chat_id"), ret_chat))
                return TELEGRAM_OTHER_CHAT;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                if (strstr(why, rows[i].part) == NULL)
                        continue;
                ret->outcome = rows[i].outcome;
                return rows[i].next;
        }
        return TELEGRAM_END;
}

enum telegram_next telegram_answer(const struct rest_answer *answer, struct port_answer *ret,
                                   int64_t *ret_chat)
{
        const char *why = json_str(json_get(answer->json, "description"));
        *ret = answer->port;
        switch (answer->status) {
        case 400:
                return said(why != NULL ? why : "", answer->json, ret, ret_chat);
        case 403: /* the bot was removed from the chat; there is no other at this endpoint */
        case 404: /* the shape of the token is wrong */
                ret->outcome = PORT_DENIED;
                break;
        case 429:
                (void)json_int(json_path(answer->json, "parameters.retry_after"), &ret->retry_after_s);
                break;
        default:
                break;
        }
        return TELEGRAM_END;
}

/* ---- calls ---- */

static void send_it(struct notifier_call *call);

static void free_call(struct notifier_call *call)
{
        rest_cancel(call->rest);
        free(call->text);
        free(call);
}

static void end(struct notifier_call *call, const struct port_answer *port, int64_t message)
{
        struct notifier_call c = *call;
        const struct notifier_card_answer card = {.port = *port, .message = message};
        free_call(call);
        if (c.card_fn != NULL)
                c.card_fn(c.arg, &card);
        else
                c.alert_fn(c.arg, port);
}

static bool prepare_again(struct notifier_call *call, enum telegram_next next, int64_t chat)
{
        if (next == TELEGRAM_END || ++call->tries == TELEGRAM_TRIES_MAX)
                return false;
        if (next == TELEGRAM_PLAIN)
                call->markup = false;
        if (next == TELEGRAM_NO_THREAD)
                call->threaded = false;
        if (next == TELEGRAM_OTHER_CHAT)
                call->chat = call->telegram->chat = chat;
        log_warning(EV("telegram.again"), LF_I("chat", call->chat),
                    LF_S("without", next == TELEGRAM_PLAIN       ? "its markup, which is wrong"
                                    : next == TELEGRAM_NO_THREAD ? "its topic, which is gone"
                                                                 : "the chat's old number: set the new one"));
        return true;
}

static void on_answer(void *arg, const struct rest_answer *answer)
{
        struct notifier_call *call = arg;
        struct port_answer port;
        int64_t chat = call->chat, message = call->message;
        call->rest = NULL;
        if (prepare_again(call, telegram_answer(answer, &port, &chat), chat)) {
                send_it(call);
                return;
        }
        (void)json_int(json_path(answer->json, "result.message_id"), &message);
        end(call, &port, message);
}

static void put_preview(struct json_out *j)
{
        json_out_key(j, "link_preview_options");
        json_out_object(j);
        json_out_kbool(j, "is_disabled", true);
        json_out_object_end(j);
}

static void send_it(struct notifier_call *call)
{
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        json_out_kint(j, "chat_id", call->chat);
        if (call->threaded && call->message == 0)
                json_out_kint(j, "message_thread_id", call->telegram->thread);
        if (call->message != 0)
                json_out_kint(j, "message_id", call->message);
        json_out_kstr(j, "text", call->text);
        if (call->markup)
                json_out_kstr(j, "parse_mode", "HTML");
        if (call->card_fn != NULL && call->message == 0)
                json_out_kbool(j, "disable_notification", true);
        put_preview(j);
        json_out_object_end(j);
        call->rest = rest_start(call->telegram->rest, "POST",
                                call->message != 0 ? "/editMessageText" : "/sendMessage", j, on_answer, call);
}

static struct notifier_call *new_call(struct telegram *t, void *arg)
{
        struct notifier_call *call = xcalloc(1, sizeof(*call));
        *call = (struct notifier_call){
                .telegram = t, .chat = t->chat, .threaded = t->thread != 0, .arg = arg};
        return call;
}

static struct notifier_call *telegram_alert(struct notifier *n, const char *key, const char *subject,
                                            const char *text, port_answer_fn *fn, void *arg)
{
        struct notifier_call *call = new_call((struct telegram *)n, arg);
        struct strbuf sb = STRBUF_INIT;
        _cleanup_(freep) char *whole =
                subject[0] != '\0' ? xasprintf("%s: %s", subject, text) : xstrdup(text);
        (void)key;
        telegram_cut(&sb, whole, TEXT_UNITS_MAX);
        call->text = strbuf_take(&sb);
        call->alert_fn = fn;
        send_it(call);
        return call;
}

static struct notifier_call *telegram_card(struct notifier *n, const struct notifier_card *card,
                                           notifier_card_fn *fn, void *arg)
{
        struct notifier_call *call = new_call((struct telegram *)n, arg);
        call->text = xstrdup(card->html);
        call->markup = true;
        call->message = card->message;
        call->card_fn = fn;
        send_it(call);
        return call;
}

static void telegram_free(struct notifier *n)
{
        struct telegram *t = (struct telegram *)n;
        rest_free(t->rest);
        free(t);
}

struct notifier *notifier_telegram_new(const struct notifier_telegram_config *cfg)
{
        static const struct notifier_ops ops = {.name = "telegram",
                                                .alert = telegram_alert,
                                                .card = telegram_card,
                                                .cancel = free_call,
                                                .free = telegram_free};
        const struct rest_config rest = {
                .http = cfg->http, .url = cfg->url, .token_file = cfg->token_file, .prefix = "/bot"};
        struct telegram *t = xcalloc(1, sizeof(*t));
        *t = (struct telegram){.notifier.ops = &ops, .chat = cfg->chat, .thread = cfg->thread};
        t->rest = rest_new(&rest);
        return &t->notifier;
}
