/* effects.c - the outbox's executor: claim, call, record. What a call is, is in effect_call.c. */
#include "workerd/effects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/claim_name.h"
#include "common/db.h"
#include "common/json_read.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/claimer.h"
#include "workerd/effect_call.h"

#define STATEMENT_DEADLINE_MS 10000
#define AT_ONCE               8

enum effect_state {
        EFFECT_FREE,      /* the slot is not used */
        EFFECT_CALLING,   /* waits for the port */
        EFFECT_RECORDING, /* waits for effect_finish */
};

struct effect {
        struct effects *fx;
        enum effect_state state;
        int64_t id, epoch;
        char *token, *name; /* "tracker.comment" */
        struct effect_call call;
        struct db_request *request; /* NULL when idle */
        char *detail;
        const char *verdict;
        const char *said;      /* in the words of the ports, or NULL */
        int64_t retry_after_s; /* -1: as the outbox likes */
};

struct effects {
        struct effects_config cfg;
        struct effect_ports ports;
        struct claimer claimer;
        struct effect slots[AT_ONCE];
};

const char *effects_verdict(enum port_outcome outcome)
{
        switch (outcome) {
        case PORT_OK:
                return "done";
        case PORT_NOT_FOUND:
        case PORT_CONFLICT:
        case PORT_REFUSED:
                return "dead"; /* repeating will not help; a person must look */
        case PORT_DENIED:
        case PORT_FORBIDDEN:
        case PORT_LIMITED:
        case PORT_UNAVAILABLE:
        case PORT_UNKNOWN:
                return "retry";
        }
        abort();
}

static void release_slot(struct effect *e)
{
        struct effects *fx = e->fx;
        effect_call_deinit(&e->call);
        db_request_forget(e->request);
        free(e->token);
        free(e->name);
        free(e->detail);
        *e = (struct effect){.fx = fx};
}

void effects_free(struct effects *fx)
{
        if (fx == NULL)
                return;
        claimer_deinit(&fx->claimer);
        for (size_t i = 0; i < AT_ONCE; i++)
                release_slot(&fx->slots[i]);
        effect_ports_deinit(&fx->ports);
        free(fx);
}

static struct effect *free_slot(struct effects *fx)
{
        for (size_t i = 0; i < AT_ONCE; i++)
                if (fx->slots[i].state == EFFECT_FREE)
                        return &fx->slots[i];
        return NULL;
}

static size_t room(const void *arg)
{
        const struct effects *fx = arg;
        size_t n = 0;
        for (size_t i = 0; i < AT_ONCE; i++)
                n += fx->slots[i].state == EFFECT_FREE;
        return n;
}

bool effects_idle(const struct effects *fx)
{
        return claimer_idle(&fx->claimer);
}

static bool knows(const struct effects *fx, const struct claim_name *name)
{
        for (size_t i = 0; i < AT_ONCE; i++) {
                const struct effect *e = &fx->slots[i];
                if (e->state != EFFECT_FREE && e->id == name->id && e->epoch == name->epoch &&
                    strcmp(e->token, name->token) == 0)
                        return true;
        }
        return false;
}

void effects_unknown(const struct effects *fx, const struct claim_names *named, struct strbuf *sb)
{
        for (size_t i = 0; i < named->n; i++)
                if (!knows(fx, &named->names[i]))
                        claim_name_add(sb, &named->names[i]);
}

static void ended(struct effect *e)
{
        struct effects *fx = e->fx;
        release_slot(e);
        claimer_next(&fx->claimer); /* the next effect of the object may be due now */
}

static void count(const struct effect *e)
{
        static const struct {
                const char *verdict;
                enum metric_id metric;
        } counters[] = {{"done", METRIC_EFFECTS_DONE},
                        {"retry", METRIC_EFFECTS_RETRIED},
                        {"dead", METRIC_EFFECTS_DEAD}};
        for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
                if (strcmp(counters[i].verdict, e->verdict) == 0)
                        metrics_count(counters[i].metric, 1);
}

static void log_outcome(const struct effect *e)
{
        if (strcmp(e->verdict, "done") == 0)
                log_info(EV("effect.done"), LF_I("effect", e->id), LF_S("what", e->name));
        else if (strcmp(e->verdict, "retry") == 0)
                log_warning(EV("effect.retry"), LF_I("effect", e->id), LF_S("what", e->name),
                            LF_S("error", e->detail));
        else
                log_error(EV("effect.dead"), LF_I("effect", e->id), LF_S("what", e->name),
                          LF_S("error", e->detail),
                          LF_S("hint", "it is not tried again; see the view orch.dead_letter"));
}

static void on_recorded(void *arg, const struct db_result *res)
{
        struct effect *e = arg;
        const char *answer = res->outcome == DB_OK && db_rows(res) == 1 ? db_text(res, 0, "answer") : NULL;
        e->request = NULL;
        if (answer != NULL && strcmp(answer, "recorded") == 0) {
                count(e);
                log_outcome(e);
        } else if (answer != NULL) {
                metrics_count(METRIC_FENCED, 1);
                log_warning(EV("effect.fenced"), LF_I("effect", e->id), LF_S("what", e->name));
        } else {
                log_warning(EV("effect.not-recorded"), LF_I("effect", e->id), LF_S("what", e->name),
                            LF_ERR(&res->err), LF_S("then", "our claim is given back and it is tried again"));
        }
        ended(e);
}

static void record(struct effect *e)
{
        char id[24], epoch[24], after[24];
        (void)snprintf(id, sizeof(id), "%" PRId64, e->id);
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, e->epoch);
        (void)snprintf(after, sizeof(after), "%" PRId64, e->retry_after_s);
        const char *params[] = {id,         epoch,       e->token,
                                e->verdict, e->detail,   e->retry_after_s >= 0 ? after : NULL,
                                e->said,    e->call.json};
        e->state = EFFECT_RECORDING;
        e->request = db_query(e->fx->cfg.db, &Q_EFFECT_FINISH, params, STATEMENT_DEADLINE_MS, on_recorded, e);
}

static void on_answer(void *arg, const struct port_answer *answer)
{
        struct effect *e = arg;
        e->verdict = effects_verdict(answer->outcome);
        e->said = port_outcome_name(answer->outcome);
        e->retry_after_s = answer->retry_after_s;
        e->detail = answer->outcome == PORT_OK
                            ? xstrdup("ok")
                            : xasprintf("%s: %s", port_outcome_name(answer->outcome), answer->err.text);
        record(e);
}

static void impossible(struct effect *e, const struct errinfo *err)
{
        e->verdict = "dead";
        e->said = NULL;
        e->retry_after_s = -1;
        e->detail = xstrdup(err->text);
        record(e);
}

static void execute(struct effect *e, const struct db_result *res, int row)
{
        struct errinfo err = ERRINFO_INIT;
        struct json_doc *payload = NULL, *endpoint = NULL;
        const char *text = db_text_or_empty(res, row, "payload"),
                   *service = db_text_or_empty(res, row, "endpoint");
        int r = json_parse(text, strlen(text), NULL, &payload, &err);
        if (r == 0 && service[0] != '\0')
                r = json_parse(service, strlen(service), NULL, &endpoint, &err);
        const struct effect_spec spec = {
                .port = db_text_or_empty(res, row, "port"),
                .kind = db_text_or_empty(res, row, "kind"),
                .adapter = db_text_or_empty(res, row, "adapter"),
                .key = db_text_or_empty(res, row, "object_key"),
                .location = db_text_or_empty(res, row, "location"),
                .default_branch = db_text_or_empty(res, row, "default_branch"),
                .payload = json_root(payload),
                .endpoint = endpoint != NULL ? json_root(endpoint) : NULL,
        };
        if (r == 0)
                r = effect_call_start(&e->call, &e->fx->ports, &spec, on_answer, e, &err);
        json_doc_free(payload);
        json_doc_free(endpoint);
        if (r < 0)
                impossible(e, &err);
}

static void take(void *arg, const struct db_result *res, int row)
{
        struct effects *fx = arg;
        struct effect *e = free_slot(fx);
        if (e == NULL)
                return; /* cannot be: as many were claimed as there are slots free */
        e->state = EFFECT_CALLING;
        e->id = db_int(res, row, "effect_id", 0);
        e->epoch = db_int(res, row, "epoch", 0);
        e->token = xstrdup(db_text_or_empty(res, row, "token"));
        e->name = xasprintf("%s.%s", db_text_or_empty(res, row, "port"), db_text_or_empty(res, row, "kind"));
        execute(e, res, row);
}

struct effects *effects_new(const struct effects_config *cfg)
{
        struct effects *fx = xcalloc(1, sizeof(*fx));
        fx->cfg = *cfg;
        const struct claimer_config claimer = {.db = cfg->db,
                                               .statement = &Q_EFFECT_CLAIM,
                                               .failed = EV("effect.claim-failed"),
                                               .room = room,
                                               .at_once = AT_ONCE,
                                               .take = take,
                                               .arg = fx,
                                               .on_idle = cfg->on_idle,
                                               .idle_arg = cfg->arg};
        claimer_init(&fx->claimer, &claimer);
        effect_ports_init(&fx->ports, cfg->loop, cfg->db, cfg->git, cfg->http);
        if (cfg->hook_secret_file[0] != '\0')
                fx->ports.hook_secret_file = xstrdup(cfg->hook_secret_file);
        for (size_t i = 0; i < AT_ONCE; i++)
                fx->slots[i].fx = fx;
        return fx;
}

void effects_wake(struct effects *fx, int64_t process, int64_t epoch)
{
        claimer_wake(&fx->claimer, process, epoch);
}

void effects_stop(struct effects *fx)
{
        claimer_stop(&fx->claimer);
}
