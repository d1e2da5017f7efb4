/* process_row.c - registers, beats, leaves. Knows nothing of what the process does. */
#include "common/process_row.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"
#include "common/schema_fit.h"
#include "migrations.h"
#include "queries.h"
#include "version.h"

#define SQLSTATE_REFUSED  "OR002" /* orch.refuse() */
#define LEAVE_DEADLINE_MS 3000
/* Whoever beats has the database again, and has said so, before three beats are missed: that is what
 * options_check() leaves until agents are frozen and a silent worker is killed. */
#define RECONNECT_BEATS 2
#define JOBS_MAX        1024 /* of one process: its slots, and what it adopted */

enum row_state {
        ROW_NEW,         /* waits for the database; leaves when registering starts */
        ROW_REGISTERING, /* waits for the answer of schema_fit, then of process_start; timer: the next try */
        ROW_LIVE,        /* waits for the timer or a hint, then for the beat's answer */
        ROW_FENCED,      /* taken for dead; nothing more is sent */
        ROW_LEAVING,     /* waits for process_handover's answer */
        ROW_LEFT,
};

struct process_row {
        struct loop *loop;
        struct db *db;
        struct process_row_config cfg;
        char *host, *daemon;
        enum row_state state;
        int64_t id, epoch;
        int64_t sent_ms; /* the newest beat */
        bool draining;
        bool hinted;   /* since the running beat was sent */
        char *refused; /* why it could not register, as was said last; NULL: nothing was */
        struct loop_timer *timer;
        struct db_request *request; /* NULL when idle */
        void (*on_left)(void *arg);
        void *on_left_arg;
};

static void beat(struct process_row *row);
static void register_row(struct process_row *row);

static void on_timer(void *arg)
{
        struct process_row *row = arg;
        if (row->request != NULL)
                return; /* its answer arms the timer again */
        if (row->state == ROW_NEW || row->state == ROW_REGISTERING)
                register_row(row);
        else if (row->state == ROW_LIVE)
                beat(row);
}

struct process_row *process_row_new(struct loop *loop, struct db *db, const struct process_row_config *cfg)
{
        struct process_row *row = xcalloc(1, sizeof(*row));
        row->loop = loop;
        row->db = db;
        row->cfg = *cfg;
        row->host = xstrdup(cfg->host);
        row->daemon = xstrdup(cfg->daemon);
        row->timer = loop_timer_new(loop, on_timer, row);
        process_row_set_interval(row, cfg->beat_interval_ms);
        return row;
}

void process_row_free(struct process_row *row)
{
        if (row == NULL)
                return;
        db_request_forget(row->request);
        loop_timer_free(row->timer);
        free(row->refused);
        free(row->host);
        free(row->daemon);
        free(row);
}

static void log_failed(const char *what, const struct db_result *res)
{
        log_warning(EV("process.statement-failed"), LF_S("what", what), LF_ERR(&res->err),
                    LF_S("then", "tried again at the next beat"));
}

/* Nothing but a person can mend it. Said once, as long as it is the same. */
static void refused(struct process_row *row, const struct errinfo *err, const char *hint)
{
        loop_timer_arm(row->timer, row->cfg.beat_interval_ms);
        if (row->refused != NULL && strcmp(row->refused, err->text) == 0)
                return;
        free(row->refused);
        row->refused = xstrdup(err->text);
        log_error(EV("process.refused"), LF_ERR(err), LF_S("hint", hint),
                  LF_S("then", "waits until it fits"));
}

static void on_registered(void *arg, const struct db_result *res)
{
        struct process_row *row = arg;
        row->request = NULL;
        if (res->outcome == DB_SQL_ERROR && strcmp(res->err.code, SQLSTATE_REFUSED) == 0) {
                refused(row, &res->err, "host_name is an option of the configuration");
                return;
        }
        if (res->outcome != DB_OK || db_rows(res) != 1) {
                log_failed("register", res);
                loop_timer_arm(row->timer, row->cfg.beat_interval_ms);
                return;
        }
        row->id = db_int(res, 0, "process_id", 0);
        row->epoch = db_int(res, 0, "epoch", 0);
        row->state = ROW_LIVE;
        free(take_ptr(row->refused));
        log_info(EV("process.registered"), LF_I("process", row->id), LF_I("epoch", row->epoch));
        row->cfg.on_registered(row->cfg.arg);
        process_row_hint(row);
}

static void insert_row(struct process_row *row)
{
        unsigned long long start = 0;
        char pid_text[24], start_text[24], takeover[24], up[24];
        (void)proc_start_time(getpid(), &start); /* of ourselves: /proc is there, or nothing works */
        (void)snprintf(pid_text, sizeof(pid_text), "%ld", (long)getpid());
        (void)snprintf(start_text, sizeof(start_text), "%llu", start);
        (void)snprintf(takeover, sizeof(takeover), "%" PRId64, row->cfg.takeover_ms);
        (void)snprintf(up, sizeof(up), "%" PRId64, loop_now_ms(row->loop)); /* it counts from the boot */
        const char *params[] = {row->host,  proc_boot_id(), row->daemon, pid_text,
                                start_text, ORCH_VERSION,   takeover,    up};
        row->request =
                db_query(row->db, &Q_PROCESS_START, params, row->cfg.beat_interval_ms, on_registered, row);
}

static void on_fit(void *arg, const struct db_result *res)
{
        struct process_row *row = arg;
        struct errinfo err = ERRINFO_INIT;
        row->request = NULL;
        switch (schema_fit(res, SQL_SCHEMA_VERSION, &err)) {
        case SCHEMA_FITS:
                insert_row(row);
                return;
        case SCHEMA_UNFIT:
                refused(row, &err, "run orchctl migrate of the release that is to serve this database");
                return;
        case SCHEMA_UNKNOWN:
                log_failed("look at the schema", res);
                loop_timer_arm(row->timer, row->cfg.beat_interval_ms);
        }
}

static void register_row(struct process_row *row)
{
        row->state = ROW_REGISTERING;
        row->request = db_query(row->db, &Q_SCHEMA_FIT, NULL, row->cfg.beat_interval_ms, on_fit, row);
}

static struct process_row_ids parse_ids(const char *text, int64_t *ids)
{
        size_t n = 0;
        while (text != NULL && *text != '\0' && n < JOBS_MAX) {
                char *end = NULL;
                ids[n++] = strtoll(text, &end, 10);
                text = *end == ',' ? end + 1 : NULL;
        }
        return (struct process_row_ids){.ids = ids, .n = n};
}

bool process_row_has(const struct process_row_ids *list, int64_t id)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->ids[i] == id)
                        return true;
        return false;
}

static void fenced(struct process_row *row)
{
        row->state = ROW_FENCED;
        loop_timer_disarm(row->timer);
        log_error(EV("process.fenced"), LF_I("process", row->id), LF_I("epoch", row->epoch),
                  LF_S("then", "all work is stopped and the process leaves"));
        row->cfg.on_fenced(row->cfg.arg);
}

static void tell_beat(struct process_row *row, const struct db_result *res)
{
        int64_t stop[JOBS_MAX];
        struct claim_names jobs, effects;
        claim_names_parse(&jobs, db_text(res, 0, "held_claims"));
        claim_names_parse(&effects, db_text(res, 0, "held_effects"));
        struct process_beat told = {
                .jobs_wanted = db_bool(res, 0, "jobs_wanted"),
                .events_wanted = db_bool(res, 0, "events_wanted"),
                .effects_wanted = db_bool(res, 0, "effects_wanted"),
                .orphans_wanted = db_bool(res, 0, "orphans_wanted"),
                .watch_wanted = db_bool(res, 0, "watch_wanted"),
                .looks_wanted = db_bool(res, 0, "looks_wanted"),
                .cards_wanted = db_bool(res, 0, "cards_wanted"),
                .sent_ms = row->sent_ms,
                .held_claims = &jobs,
                .held_effects = &effects,
                .stop_jobs = parse_ids(db_text(res, 0, "stop_jobs"), stop),
        };
        row->cfg.on_beat(row->cfg.arg, &told);
        claim_names_deinit(&jobs);
        claim_names_deinit(&effects);
}

static void on_beat(void *arg, const struct db_result *res)
{
        struct process_row *row = arg;
        bool again = row->hinted;
        row->request = NULL;
        row->hinted = false;
        if (row->state != ROW_LIVE)
                return;
        loop_timer_arm(row->timer, again ? 0 : row->cfg.beat_interval_ms);
        if (res->outcome != DB_OK || db_rows(res) != 1) {
                log_failed("beat", res);
                loop_timer_arm(row->timer, row->cfg.beat_interval_ms);
        } else if (!db_bool(res, 0, "alive")) {
                fenced(row);
        } else if (row->cfg.on_beat != NULL) {
                tell_beat(row, res);
        }
}

static void beat(struct process_row *row)
{
        char id[24], epoch[24];
        (void)snprintf(id, sizeof(id), "%" PRId64, row->id);
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, row->epoch);
        const char *params[] = {id, epoch, row->draining ? "true" : "false"};
        row->hinted = false;
        row->sent_ms = loop_now_ms(row->loop); /* or before: it may wait for a connection first */
        row->request = db_query(row->db, &Q_PROCESS_BEAT, params, row->cfg.beat_interval_ms, on_beat, row);
}

void process_row_up(struct process_row *row)
{
        if (row->request == NULL && (row->state == ROW_NEW || row->state == ROW_REGISTERING))
                register_row(row);
        else
                process_row_hint(row);
}

void process_row_hint(struct process_row *row)
{
        row->hinted = true;
        if (row->state == ROW_LIVE && row->request == NULL)
                loop_timer_soon(row->timer);
}

void process_row_drain(struct process_row *row)
{
        row->draining = true;
        process_row_hint(row);
}

void process_row_set_interval(struct process_row *row, int64_t beat_interval_ms)
{
        row->cfg.beat_interval_ms = beat_interval_ms;
        db_set_reconnect_max(row->db, RECONNECT_BEATS * beat_interval_ms);
}

bool process_row_live(const struct process_row *row)
{
        return row->state == ROW_LIVE;
}

int64_t process_row_id(const struct process_row *row)
{
        return row->id;
}

int64_t process_row_epoch(const struct process_row *row)
{
        return row->epoch;
}

static void on_left(void *arg, const struct db_result *res)
{
        struct process_row *row = arg;
        row->request = NULL;
        row->state = ROW_LEFT;
        if (res->outcome != DB_OK)
                log_warning(EV("process.leave-failed"), LF_ERR(&res->err),
                            LF_S("then", "the reaper will find out"));
        row->on_left(row->on_left_arg);
}

/* Somebody who was never registered, or is fenced, has nothing to end; the answer still comes from the loop.
 */
static void on_leave_timer(void *arg)
{
        struct process_row *row = arg;
        row->state = ROW_LEFT;
        row->on_left(row->on_left_arg);
}

void process_row_leave(struct process_row *row, void (*fn)(void *arg), void *arg)
{
        char id[24], epoch[24];
        bool live = row->state == ROW_LIVE;
        assert(row->state != ROW_LEAVING && row->state != ROW_LEFT);
        db_request_forget(take_ptr(row->request));
        row->on_left = fn;
        row->on_left_arg = arg;
        row->state = ROW_LEAVING;
        if (!live) {
                loop_timer_free(row->timer);
                row->timer = loop_timer_new(row->loop, on_leave_timer, row);
                loop_timer_soon(row->timer);
                return;
        }
        loop_timer_disarm(row->timer);
        (void)snprintf(id, sizeof(id), "%" PRId64, row->id);
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, row->epoch);
        const char *params[] = {id, epoch};
        row->request = db_query(row->db, &Q_PROCESS_HANDOVER, params, LEAVE_DEADLINE_MS, on_left, row);
}
