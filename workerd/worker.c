/* worker.c - claims, slots, stops, drain. What a job is, is in job*.c. */
#include "workerd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/git.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/process_row.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/adoption.h"
#include "workerd/cards.h"
#include "workerd/effects.h"
#include "workerd/events.h"
#include "workerd/job.h"
#include "workerd/looks.h"
#include "workerd/preflight.h"
#include "workerd/slots.h"
#include "workerd/watch.h"
#include "workerd/leftovers.h"

#define STATEMENT_DEADLINE_MS 10000
#define QUICK_LEAVE_MS        5000 /* for killed agents to go, and for effects that are under way */
#define LEFTOVERS_BEATS       6
#define HTTP_CONNECT_MS       5000
#define HTTP_TOTAL_MS         30000
#define HTTP_ANSWER_BYTES_MAX (8u << 20)
#define GIT_PATH              "/usr/local/bin:/usr/bin:/bin"
#define GIT_PROTOCOLS         "file:https"

enum worker_state {
        WORKER_STARTING, /* waits for its row */
        WORKER_LIVE,     /* takes work */
        WORKER_DRAINING, /* takes none; waits for short steps and effects; quick: timer */
        WORKER_FENCED,   /* waits for the killed agents; timer */
        WORKER_LEAVING,  /* waits for the row to end */
        WORKER_GONE,
};

struct worker {
        struct worker_config cfg;
        enum worker_state state;
        struct job_host host;
        char *state_dir, *shim;
        struct process_row *row;
        struct events *events;
        struct http_client *http;
        struct effects *effects;
        struct looks *looks;
        struct adoption *adoption;
        struct leftovers *leftovers;
        struct preflight *preflight;
        struct watch *watch;
        struct cards *cards;
        struct loop_timer *timer;
        struct db_request *claim;  /* NULL when idle */
        int64_t claim_asked_ms;    /* when it was sent */
        bool taking;               /* the rows of an answer are being taken */
        struct db_request *disown; /* NULL when idle */
        struct slots *slots;
};

static void claim_job(struct worker *w);

static void left(void *arg)
{
        struct worker *w = arg;
        bool fenced = w->state == WORKER_FENCED;
        w->state = WORKER_GONE;
        w->cfg.on_gone(w->cfg.arg, fenced);
}

static void leave(struct worker *w)
{
        loop_timer_disarm(w->timer);
        if (w->state == WORKER_FENCED) {
                left(w);
                return;
        }
        w->state = WORKER_LEAVING;
        process_row_leave(w->row, left, w);
}

static void leave_if_idle(void *arg)
{
        struct worker *w = arg;
        if ((w->state == WORKER_DRAINING || w->state == WORKER_FENCED) && slots_n(w->slots) == 0 &&
            w->claim == NULL && effects_idle(w->effects) && looks_idle(w->looks) && watch_idle(w->watch) &&
            cards_idle(w->cards))
                leave(w);
}

/* Effects, killed agents or the database took too long. What is in hand is left as if we had died. */
static void on_timer(void *arg)
{
        struct worker *w = arg;
        log_warning(EV("worker.left-behind"), LF_I("jobs", slots_n(w->slots)),
                    LF_S("then", "leaving without them"));
        leave(w);
}

static void on_slots(void *arg)
{
        struct worker *w = arg;
        w->cfg.on_busy(w->cfg.arg, (unsigned)slots_n(w->slots));
        claim_job(w);
        leave_if_idle(w);
}

/* The answer may come after we began to leave. */
static void take(struct worker *w, const struct db_result *res, int row, bool adopted, int64_t asked_ms)
{
        enum job_stop why = w->state == WORKER_LIVE     ? JOB_STOP_NONE
                            : w->state == WORKER_FENCED ? JOB_STOP_FENCED
                                                        : JOB_STOP_LEAVE;
        slots_take(w->slots, res, row, adopted, asked_ms, why);
}

static void on_claimed(void *arg, const struct db_result *res)
{
        struct worker *w = arg;
        w->claim = NULL;
        if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("job.claim-failed"), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next beat"));
        else if (res->outcome == DB_OK && db_rows(res) > 0) {
                w->taking = true; /* each slot that fills would ask for more, and the next rows need theirs */
                for (int row = 0; row < db_rows(res); row++)
                        take(w, res, row, false, w->claim_asked_ms);
                w->taking = false;
                claim_job(w);
        }
        leave_if_idle(w);
}

static void claim_job(struct worker *w)
{
        char process[24], epoch[24], limit[24];
        size_t slots = (size_t)w->host.opt->worker_slots;
        if (w->state != WORKER_LIVE || w->claim != NULL || w->taking || slots_n(w->slots) >= slots ||
            !preflight_has_room(w->preflight, w->host.opt)) /* the next beat tells why */
                return;
        (void)snprintf(process, sizeof(process), "%" PRId64, process_row_id(w->row));
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, process_row_epoch(w->row));
        (void)snprintf(limit, sizeof(limit), "%zu", slots - slots_n(w->slots));
        const char *params[] = {process, epoch, limit};
        w->claim_asked_ms = loop_now_ms(w->cfg.loop);
        w->claim = db_query(w->cfg.db, &Q_JOB_CLAIM, params, STATEMENT_DEADLINE_MS, on_claimed, w);
}

static void on_disowned(void *arg, const struct db_result *res)
{
        struct worker *w = arg;
        w->disown = NULL;
        if (res->outcome != DB_OK || db_rows(res) != 1)
                return; /* the next beat names them again */
        int64_t released = db_int(res, 0, "released", 0);
        if (released > 0)
                log_warning(EV("worker.unknown-claims"), LF_I("released", released),
                            LF_S("reason", "the answer to a claim was lost"));
}

/* Claims that carry our name and that no answer has told us of, nor will: see process_row.h. */
static void disown(struct worker *w, const struct process_beat *beat)
{
        char process[24], epoch[24];
        _cleanup_(strbuf_deinit) struct strbuf jobs = STRBUF_INIT, effects = STRBUF_INIT;
        if (w->disown != NULL)
                return;
        strbuf_addch(&jobs, '{');
        slots_unknown(w->slots, beat->held_claims, &jobs);
        strbuf_addch(&jobs, '}');
        strbuf_addch(&effects, '{');
        effects_unknown(w->effects, beat->held_effects, &effects);
        strbuf_addch(&effects, '}');
        if (jobs.len + effects.len == strlen("{}{}"))
                return;
        (void)snprintf(process, sizeof(process), "%" PRId64, process_row_id(w->row));
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, process_row_epoch(w->row));
        const char *params[] = {process, epoch, jobs.buf, effects.buf};
        w->disown = db_query(w->cfg.db, &Q_PROCESS_DISOWN, params, STATEMENT_DEADLINE_MS, on_disowned, w);
}

static void on_adopted(void *arg, const struct db_result *res, int64_t asked_ms)
{
        take(arg, res, 0, true, asked_ms);
}

static void on_beat(void *arg, const struct process_beat *beat)
{
        struct worker *w = arg;
        slots_beat(w->slots, beat);
        if (w->state != WORKER_LIVE)
                return;
        disown(w, beat);
        preflight_look(w->preflight, w->host.opt, process_row_id(w->row), process_row_epoch(w->row));
        if (beat->orphans_wanted)
                adoption_wake(w->adoption, process_row_id(w->row), process_row_epoch(w->row));
        leftovers_wake(w->leftovers, LEFTOVERS_BEATS * w->host.opt->beat_interval_ms);
        if (beat->events_wanted)
                events_wake(w->events);
        if (beat->effects_wanted)
                effects_wake(w->effects, process_row_id(w->row), process_row_epoch(w->row));
        if (beat->looks_wanted)
                looks_wake(w->looks, process_row_id(w->row), process_row_epoch(w->row));
        if (beat->watch_wanted)
                watch_wake(w->watch, process_row_id(w->row), process_row_epoch(w->row));
        if (beat->cards_wanted)
                cards_wake(w->cards, process_row_id(w->row), process_row_epoch(w->row));
        if (beat->jobs_wanted)
                claim_job(w);
}

static void on_registered(void *arg)
{
        struct worker *w = arg;
        if (w->state == WORKER_STARTING)
                w->state = WORKER_LIVE;
        preflight_look(w->preflight, w->host.opt, process_row_id(w->row), process_row_epoch(w->row));
        w->cfg.on_ready(w->cfg.arg);
}

static void take_no_more(struct worker *w)
{
        events_stop(w->events);
        effects_stop(w->effects);
        looks_stop(w->looks);
        watch_stop(w->watch);
        cards_stop(w->cards);
        adoption_stop(w->adoption);
}

static void on_fenced(void *arg)
{
        struct worker *w = arg;
        if (w->state >= WORKER_LEAVING)
                return;
        w->state = WORKER_FENCED;
        take_no_more(w);
        slots_stop(w->slots, JOB_STOP_FENCED);
        loop_timer_arm(w->timer, QUICK_LEAVE_MS);
        leave_if_idle(w);
}

static void make_parts(struct worker *w)
{
        const struct git_config git = {.path = GIT_PATH,
                                       .protocols = GIT_PROTOCOLS,
                                       .plain_hosts = w->cfg.opt->http_plain_hosts,
                                       .timeout_ms = w->cfg.opt->git_timeout_ms};
        const struct process_row_config row = {
                .host = w->cfg.host,
                .daemon = "workerd",
                .beat_interval_ms = w->cfg.opt->beat_interval_ms,
                .takeover_ms = w->cfg.opt->takeover_after_ms,
                .on_registered = on_registered,
                .on_beat = on_beat,
                .on_fenced = on_fenced,
                .arg = w,
        };
        w->host.git = git_new(w->cfg.loop, &git);
        w->host.http = w->http;
        const struct effects_config effects = {
                .loop = w->cfg.loop,
                .db = w->cfg.db,
                .git = w->host.git,
                .http = w->http,
                .hook_secret_file = w->cfg.opt->gitea_secret_file,
                .on_idle = leave_if_idle,
                .arg = w,
        };
        const struct adoption_config adoption = {
                .loop = w->cfg.loop,
                .db = w->cfg.db,
                .state_dir = w->state_dir,
                .on_adopted = on_adopted,
                .arg = w,
        };
        w->row = process_row_new(w->cfg.loop, w->cfg.db, &row);
        w->events = events_new(w->cfg.db);
        w->effects = effects_new(&effects);
        const struct looks_config looks = {
                .loop = w->cfg.loop, .db = w->cfg.db, .http = w->http, .on_idle = leave_if_idle, .arg = w};
        w->looks = looks_new(&looks);
        const struct watch_config watch = {.host = &w->host, .on_idle = leave_if_idle, .arg = w};
        w->watch = watch_new(&watch);
        const struct cards_config cards = {
                .loop = w->cfg.loop, .db = w->cfg.db, .http = w->http, .on_idle = leave_if_idle, .arg = w};
        w->cards = cards_new(&cards);
        w->adoption = adoption_new(&adoption);
        w->slots = slots_new(&w->host, on_slots, w);
        w->preflight = preflight_new(w->cfg.loop, w->cfg.db);
        w->leftovers = leftovers_new(w->cfg.loop, w->cfg.db, w->state_dir);
        w->timer = loop_timer_new(w->cfg.loop, on_timer, w);
}

int worker_new(const struct worker_config *cfg, struct worker **ret_worker)
{
        char *shim = proc_program_path(cfg->opt->bin_dir, "orch-shim");
        if (shim == NULL)
                return -errno;
        const struct http_client_config http = {
                .connect_timeout_ms = HTTP_CONNECT_MS,
                .total_timeout_ms = HTTP_TOTAL_MS,
                .max_response_bytes = HTTP_ANSWER_BYTES_MAX,
                .allow_plain_hosts = cfg->opt->http_plain_hosts,
        };
        struct worker *w = xcalloc(1, sizeof(*w));
        w->cfg = *cfg;
        w->state_dir = xstrdup(cfg->opt->state_dir);
        w->shim = shim;
        w->host = (struct job_host){.loop = cfg->loop,
                                    .db = cfg->db,
                                    .opt = cfg->opt,
                                    .state_dir = w->state_dir,
                                    .shim = w->shim};
        int r = http_client_new(cfg->loop, &http, &w->http);
        if (r < 0) {
                worker_free(w);
                return r;
        }
        make_parts(w);
        *ret_worker = w;
        return 0;
}

void worker_free(struct worker *w)
{
        if (w == NULL)
                return;
        slots_free(w->slots);
        adoption_free(w->adoption);
        watch_free(w->watch);
        cards_free(w->cards);
        db_request_forget(w->claim);
        db_request_forget(w->disown);
        leftovers_free(w->leftovers);
        preflight_free(w->preflight);
        effects_free(w->effects);
        looks_free(w->looks);
        http_client_free(w->http);
        events_free(w->events);
        process_row_free(w->row);
        git_free(w->host.git);
        loop_timer_free(w->timer);
        free(w->state_dir);
        free(w->shim);
        free(w);
}

void worker_up(struct worker *w)
{
        if (w->state != WORKER_FENCED)
                process_row_up(w->row);
}

void worker_hint(struct worker *w)
{
        process_row_hint(w->row);
}

void worker_drain(struct worker *w, bool quick)
{
        if (w->state >= WORKER_FENCED)
                return;
        if (w->state != WORKER_DRAINING) {
                w->state = WORKER_DRAINING;
                take_no_more(w);
                process_row_drain(w->row);
                log_info(EV("worker.draining"), LF_I("jobs", slots_n(w->slots)));
                slots_stop(w->slots, JOB_STOP_LEAVE);
        }
        if (quick) {
                loop_timer_arm(w->timer, QUICK_LEAVE_MS);
                slots_drop(w->slots); /* may be all that we waited for */
        }
        leave_if_idle(w);
}

void worker_reload(struct worker *w, const struct options *opt)
{
        w->host.opt = opt;
        git_set_timeout(w->host.git, opt->git_timeout_ms);
        process_row_set_interval(w->row, opt->beat_interval_ms);
        preflight_again(w->preflight);
        process_row_hint(w->row); /* there may be more slots now */
}
