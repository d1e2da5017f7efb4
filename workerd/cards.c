/* cards.c - the cards of this worker: claim, send, record. */
#include "workerd/cards.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/db.h"
#include "common/json_read.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/notifier.h"
#include "queries.h"
#include "workerd/claimer.h"
#include "workerd/endpoint.h"

#define STATEMENT_DEADLINE_MS 10000
#define AT_ONCE               4
#define RECORD_MIN_MS         500
#define RECORD_MAX_MS         15000

struct card {
        struct cards *cards;
        int64_t task; /* 0: the slot is free */
        char *token, *item;
        struct notifier *notifier;
        struct notifier_call *call; /* NULL when idle */
        struct db_request *request; /* NULL when idle */
        struct loop_timer *again;
        struct backoff backoff;
        bool first;       /* it had no message yet */
        const char *said; /* in the words of the ports */
        char *detail;
        int64_t message, retry_after_s;
};

struct cards {
        struct cards_config cfg;
        struct claimer claimer;
        struct card slots[AT_ONCE];
};

static void record(void *arg);

static void clear(struct card *c)
{
        struct cards *cards = c->cards;
        notifier_cancel(c->notifier, take_ptr(c->call));
        notifier_free(c->notifier);
        db_request_forget(c->request);
        loop_timer_free(c->again);
        free(c->token);
        free(c->item);
        free(c->detail);
        *c = (struct card){.cards = cards};
}

static size_t room(const void *arg)
{
        const struct cards *cards = arg;
        size_t n = 0;
        for (size_t i = 0; i < AT_ONCE; i++)
                n += cards->slots[i].task == 0;
        return n;
}

bool cards_idle(const struct cards *cards)
{
        return claimer_idle(&cards->claimer);
}

/* ---- what came of it ---- */

static void log_outcome(const struct card *c)
{
        if (strcmp(c->said, port_outcome_name(PORT_OK)) == 0) {
                metrics_count(c->first ? METRIC_CARDS_SENT : METRIC_CARDS_EDITED, 1);
                log_debug(EV("card.shown"), LF_S("work_item", c->item), LF_I("message", c->message),
                          LF_S("what", c->first ? "sent" : "edited"));
                return;
        }
        metrics_count(METRIC_CARDS_FAILED, 1);
        log_warning(EV("card.not-shown"), LF_S("work_item", c->item), LF_I("message", c->message),
                    LF_S("what", c->first ? "sent" : "edited"), LF_S("outcome", c->said),
                    LF_S("error", c->detail));
}

static void on_recorded(void *arg, const struct db_result *res)
{
        struct card *c = arg;
        struct cards *cards = c->cards;
        const char *answer = res->outcome == DB_OK && db_rows(res) == 1 ? db_text(res, 0, "answer") : NULL;
        c->request = NULL;
        if (answer == NULL) {
                log_warning(EV("card.not-recorded"), LF_S("work_item", c->item), LF_ERR(&res->err),
                            LF_S("then", "tried again"));
                loop_timer_arm(c->again, backoff_next_ms(&c->backoff, backoff_random()));
                return;
        }
        if (strcmp(answer, "recorded") != 0) {
                metrics_count(METRIC_FENCED, 1);
                log_warning(EV("card.fenced"), LF_S("work_item", c->item));
        }
        clear(c);
        claimer_next(&cards->claimer);
}

static void record(void *arg)
{
        struct card *c = arg;
        char task[24], message[24], after[24];
        (void)snprintf(task, sizeof(task), "%" PRId64, c->task);
        (void)snprintf(message, sizeof(message), "%" PRId64, c->message);
        (void)snprintf(after, sizeof(after), "%" PRId64, c->retry_after_s);
        const char *params[] = {task,    c->token,  c->said,
                                message, c->detail, c->retry_after_s >= 0 ? after : NULL};
        c->request =
                db_query(c->cards->cfg.db, &Q_CARD_FINISH, params, STATEMENT_DEADLINE_MS, on_recorded, c);
}

static void on_shown(void *arg, const struct notifier_card_answer *answer)
{
        struct card *c = arg;
        c->call = NULL;
        c->said = port_outcome_name(answer->port.outcome);
        c->message = answer->message;
        c->retry_after_s = answer->port.retry_after_s;
        c->detail = xstrdup(answer->port.err.text);
        log_outcome(c);
        record(c);
}

/* ---- its begin ---- */

static int show(struct card *c, const struct db_result *res, int row, struct errinfo *err)
{
        const char *service = db_text_or_empty(res, row, "endpoint");
        const struct notifier_card card = {.html = db_text_or_empty(res, row, "html"),
                                           .message = db_int(res, row, "message", 0)};
        struct json_doc *doc = NULL;
        struct endpoint e;
        int r = json_parse(service, strlen(service), NULL, &doc, err);
        if (r == 0)
                r = endpoint_read(&e, json_root(doc), err);
        if (r == 0) {
                c->first = card.message == 0;
                c->message = card.message;
                c->notifier = endpoint_notifier(&e, c->cards->cfg.http);
                c->call = notifier_show_card(c->notifier, &card, on_shown, c);
        }
        json_doc_free(doc);
        return r;
}

static void take(void *arg, const struct db_result *res, int row)
{
        struct cards *cards = arg;
        struct errinfo err = ERRINFO_INIT;
        struct card *c = cards->slots;
        while (c < cards->slots + AT_ONCE && c->task != 0)
                c++;
        if (c == cards->slots + AT_ONCE)
                return; /* cannot be: as many were claimed as there are slots free */
        c->task = db_int(res, row, "task_id", 0);
        c->token = xstrdup(db_text_or_empty(res, row, "token"));
        c->item = xstrdup(db_text_or_empty(res, row, "work_item"));
        c->again = loop_timer_new(cards->cfg.loop, record, c);
        c->backoff = (struct backoff){.min_ms = RECORD_MIN_MS, .max_ms = RECORD_MAX_MS};
        if (show(c, res, row, &err) == 0)
                return;
        c->said = port_outcome_name(PORT_REFUSED);
        c->detail = xstrdup(err.text);
        c->retry_after_s = -1;
        log_outcome(c);
        record(c);
}

/* ---- the whole ---- */

struct cards *cards_new(const struct cards_config *cfg)
{
        struct cards *cards = xcalloc(1, sizeof(*cards));
        cards->cfg = *cfg;
        const struct claimer_config claimer = {.db = cfg->db,
                                               .statement = &Q_CARD_CLAIM,
                                               .failed = EV("card.claim-failed"),
                                               .room = room,
                                               .at_once = AT_ONCE,
                                               .take = take,
                                               .arg = cards,
                                               .on_idle = cfg->on_idle,
                                               .idle_arg = cfg->arg};
        claimer_init(&cards->claimer, &claimer);
        for (size_t i = 0; i < AT_ONCE; i++)
                cards->slots[i].cards = cards;
        return cards;
}

void cards_free(struct cards *cards)
{
        if (cards == NULL)
                return;
        claimer_deinit(&cards->claimer);
        for (size_t i = 0; i < AT_ONCE; i++)
                clear(&cards->slots[i]);
        free(cards);
}

void cards_wake(struct cards *cards, int64_t process, int64_t epoch)
{
        claimer_wake(&cards->claimer, process, epoch);
}

void cards_stop(struct cards *cards)
{
        claimer_stop(&cards->claimer);
}
