/* looks.c - claim, ask, hand over. What a question is, is in look_call.c. */
#include "workerd/looks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/json_read.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "queries.h"
#include "workerd/claimer.h"
#include "workerd/look_call.h"

#define STATEMENT_DEADLINE_MS 10000
#define AT_ONCE               8
#define QUESTION_MS           60000 /* less than orch.look_lease() by more than a statement takes */
#define ANSWER_BYTES_MAX      (4u << 20)

enum look_state {
        LOOK_FREE,    /* the slot is not used */
        LOOK_ASKING,  /* waits for the adapter; timer */
        LOOK_TELLING, /* waits for look_finish */
};

struct look {
        struct looks *ls;
        enum look_state state;
        char *project, *kind, *object, *token;
        struct look_call call;
        struct loop_timer *timer;   /* lives as long as the slot does */
        struct db_request *request; /* NULL when idle */
        char *answer, *detail;      /* while it is told */
        enum port_outcome said;
};

struct looks {
        struct looks_config cfg;
        struct claimer claimer;
        struct look slots[AT_ONCE];
};

static void on_late(void *arg);

static void release_slot(struct look *l)
{
        char *strings[] = {l->project, l->kind, l->object, l->token, l->answer, l->detail};
        look_call_deinit(&l->call);
        db_request_forget(l->request);
        loop_timer_disarm(l->timer);
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        *l = (struct look){.ls = l->ls, .timer = l->timer};
}

void looks_free(struct looks *ls)
{
        if (ls == NULL)
                return;
        claimer_deinit(&ls->claimer);
        for (size_t i = 0; i < AT_ONCE; i++) {
                release_slot(&ls->slots[i]);
                loop_timer_free(ls->slots[i].timer);
        }
        free(ls);
}

static struct look *free_slot(struct looks *ls)
{
        for (size_t i = 0; i < AT_ONCE; i++)
                if (ls->slots[i].state == LOOK_FREE)
                        return &ls->slots[i];
        return NULL;
}

static size_t room(const void *arg)
{
        const struct looks *ls = arg;
        size_t n = 0;
        for (size_t i = 0; i < AT_ONCE; i++)
                n += ls->slots[i].state == LOOK_FREE;
        return n;
}

bool looks_idle(const struct looks *ls)
{
        return claimer_idle(&ls->claimer);
}

static void ended(struct look *l)
{
        struct looks *ls = l->ls;
        release_slot(l);
        claimer_next(&ls->claimer);
}

static bool begins(const char *text, const char *with)
{
        return strncmp(text, with, strlen(with)) == 0;
}

/* What the reconciler wants each minute, of each project. */
static bool is_sweep(const char *kind)
{
        return strcmp(kind, "items") == 0 || strcmp(kind, "hooks") == 0;
}

static void log_did(const struct look *l, const char *did)
{
        if (strcmp(did, "fenced") == 0) {
                metrics_count(METRIC_FENCED, 1);
                log_warning(EV("look.fenced"), LF_S("kind", l->kind), LF_S("object", l->object));
        } else if (begins(did, "given up: ")) {
                metrics_count(METRIC_LOOKS_GIVEN_UP, 1);
                log_error(EV("look.given-up"), LF_S("kind", l->kind), LF_S("object", l->object),
                          LF_S("error", did + strlen("given up: ")),
                          LF_S("then", "it is asked again when something wants it"));
        } else if (begins(did, "again: ")) {
                metrics_count(METRIC_LOOKS_RETRIED, 1);
                log_warning(EV("look.retry"), LF_S("kind", l->kind), LF_S("object", l->object),
                            LF_S("error", did + strlen("again: ")));
        } else if (is_sweep(l->kind)) {
                metrics_count(METRIC_LOOKS_DONE, 1);
                log_debug(EV("look.swept"), LF_S("kind", l->kind), LF_S("object", l->object),
                          LF_S("did", did));
        } else {
                metrics_count(METRIC_LOOKS_DONE, 1);
                log_info(EV("look.done"), LF_S("kind", l->kind), LF_S("object", l->object), LF_S("did", did));
        }
}

static void on_told(void *arg, const struct db_result *res)
{
        struct look *l = arg;
        const char *did = res->outcome == DB_OK && db_rows(res) == 1 ? db_text(res, 0, "answer") : NULL;
        l->request = NULL;
        if (did != NULL)
                log_did(l, did);
        else
                log_warning(EV("look.not-recorded"), LF_S("kind", l->kind), LF_S("object", l->object),
                            LF_ERR(&res->err), LF_S("then", "it is asked again when its lease is over"));
        ended(l);
}

static void tell(struct look *l, enum port_outcome said, int64_t retry_after_s)
{
        char after[24];
        (void)snprintf(after, sizeof(after), "%" PRId64, retry_after_s);
        const char *params[] = {l->project,
                                l->kind,
                                l->object,
                                l->token,
                                port_outcome_name(said),
                                l->answer,
                                retry_after_s >= 0 ? after : NULL,
                                l->detail};
        l->state = LOOK_TELLING;
        loop_timer_disarm(l->timer);
        l->request = db_query(l->ls->cfg.db, &Q_LOOK_FINISH, params, STATEMENT_DEADLINE_MS, on_told, l);
}

static void on_answer(void *arg, const struct port_answer *answer, const char *json)
{
        struct look *l = arg;
        enum port_outcome said = answer->outcome;
        if (said == PORT_OK && strlen(json) > ANSWER_BYTES_MAX) {
                said = PORT_REFUSED;
                l->detail = xasprintf("the answer has more than %u bytes", ANSWER_BYTES_MAX);
        } else if (said == PORT_OK) {
                l->answer = xstrdup(json);
        } else {
                l->detail = xasprintf("%s: %s", port_outcome_name(said), answer->err.text);
        }
        tell(l, said, answer->retry_after_s);
}

/* Each of its requests had a deadline; all together take too long. */
static void on_late(void *arg)
{
        struct look *l = arg;
        look_call_deinit(&l->call);
        l->detail = xasprintf("no answer within %d s", QUESTION_MS / 1000);
        tell(l, PORT_UNKNOWN, -1);
}

static void ask(struct look *l, const struct db_result *res, int row)
{
        struct errinfo err = ERRINFO_INIT;
        struct json_doc *endpoint = NULL;
        const char *service = db_text_or_empty(res, row, "endpoint");
        int r = json_parse(service, strlen(service), NULL, &endpoint, &err);
        const struct look_spec spec = {
                .adapter = db_text_or_empty(res, row, "adapter"),
                .kind = l->kind,
                .object = l->object,
                .parts = (unsigned)db_int(res, row, "parts", 0),
                .endpoint = r == 0 ? json_root(endpoint) : NULL,
        };
        if (r == 0)
                r = look_call_start(&l->call, l->ls->cfg.http, &spec, on_answer, l, &err);
        json_doc_free(endpoint);
        if (r == 0) {
                loop_timer_arm(l->timer, QUESTION_MS);
                return;
        }
        l->detail = xstrdup(err.text);
        tell(l, PORT_REFUSED, -1);
}

static void take(void *arg, const struct db_result *res, int row)
{
        struct looks *ls = arg;
        struct look *l = free_slot(ls);
        if (l == NULL || ls->claimer.stopped)
                return; /* as many were claimed as there are slots free; and its lease is all that it has */
        l->state = LOOK_ASKING;
        l->project = xstrdup(db_text_or_empty(res, row, "project_id"));
        l->kind = xstrdup(db_text_or_empty(res, row, "kind"));
        l->object = xstrdup(db_text_or_empty(res, row, "object"));
        l->token = xstrdup(db_text_or_empty(res, row, "token"));
        ask(l, res, row);
}

struct looks *looks_new(const struct looks_config *cfg)
{
        struct looks *ls = xcalloc(1, sizeof(*ls));
        ls->cfg = *cfg;
        const struct claimer_config claimer = {.db = cfg->db,
                                               .statement = &Q_LOOK_CLAIM,
                                               .failed = EV("look.claim-failed"),
                                               .room = room,
                                               .at_once = AT_ONCE,
                                               .take = take,
                                               .arg = ls,
                                               .on_idle = cfg->on_idle,
                                               .idle_arg = cfg->arg};
        claimer_init(&ls->claimer, &claimer);
        for (size_t i = 0; i < AT_ONCE; i++) {
                ls->slots[i].ls = ls;
                ls->slots[i].timer = loop_timer_new(cfg->loop, on_late, &ls->slots[i]);
        }
        return ls;
}

void looks_wake(struct looks *ls, int64_t process, int64_t epoch)
{
        claimer_wake(&ls->claimer, process, epoch);
}

/* Who comes next asks at once what our row's end has freed. */
void looks_stop(struct looks *ls)
{
        claimer_stop(&ls->claimer);
        for (size_t i = 0; i < AT_ONCE; i++)
                if (ls->slots[i].state == LOOK_ASKING)
                        release_slot(&ls->slots[i]);
}
