/* watch.c - the errands of this worker: claim, do, record. What each does is in errand_*.c. */
#include "workerd/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/http_client.h"
#include "common/json_write.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/claimer.h"
#include "workerd/commit.h"
#include "workerd/errand.h"
#include "workerd/job.h"
#include "workerd/mirror.h"
#include "workerd/shell_command.h"
#include "workerd/shim_link.h"
#include "workerd/tree.h"

#define STATEMENT_DEADLINE_MS 10000
#define PROBES_AT_ONCE        8
#define AT_ONCE               (PROBES_AT_ONCE + 2) /* a claim may bring a report and a rollback as well */
#define RECORD_MIN_MS         500
#define RECORD_MAX_MS         15000

static const struct errand_kind *const kinds[] = {&errand_probe, &errand_report, &errand_rollback};

struct watch {
        struct watch_config cfg;
        struct claimer claimer;
        struct errand errands[AT_ONCE];
};

static void record(struct errand *e);

static void drop_operations(struct errand *e)
{
        shell_command_cancel(take_ptr(e->command));
        http_request_cancel(take_ptr(e->asked));
        http_client_free(take_ptr(e->client));
        mirror_cancel(take_ptr(e->mirror_op));
        tree_cancel(take_ptr(e->tree_op));
        tree_remove_cancel(take_ptr(e->tree_remove));
        commit_cancel(take_ptr(e->commit_op));
        git_push_cancel(take_ptr(e->push_op));
        if (e->proc != NULL)
                proc_forget(take_ptr(e->proc));
        shim_link_free(take_ptr(e->link));
}

static void clear(struct errand *e)
{
        char *strings[] = {e->token,     e->method,   e->target,    e->sha,         e->body,
                           e->work_item, e->title,    e->repo,      e->location,    e->default_branch,
                           e->branch,    e->head_sha, e->docs_dir,  e->deploy_path, e->check_command,
                           e->answer,    e->mirror,   e->token_file};
        struct watch *w = e->watch;
        drop_operations(e);
        db_request_forget(e->request);
        loop_timer_free(e->timer);
        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        run_dir_deinit(&e->dir);
        run_dir_deinit(&e->deploy);
        *e = (struct errand){.watch = w, .host = w->cfg.host};
}

/* For probes. */
static size_t room(const void *arg)
{
        const struct watch *w = arg;
        size_t n = 0;
        for (size_t i = 0; i < AT_ONCE; i++)
                n += w->errands[i].kind != NULL;
        return n < PROBES_AT_ONCE ? PROBES_AT_ONCE - n : 0;
}

bool watch_idle(const struct watch *w)
{
        return claimer_idle(&w->claimer);
}

/* ---- the end of an errand ---- */

static void on_recorded(void *arg, const struct db_result *res)
{
        struct errand *e = arg;
        struct watch *w = e->watch;
        const char *answer = res->outcome == DB_OK && db_rows(res) == 1 ? db_text(res, 0, "answer") : NULL;
        e->request = NULL;
        if (answer == NULL) {
                log_warning(EV("watch.not-recorded"), LF_S("what", e->kind->what), LF_I("errand", e->id),
                            LF_ERR(&res->err), LF_S("then", "tried again"));
                loop_timer_arm(e->timer, backoff_next_ms(&e->backoff, backoff_random()));
                return;
        }
        if (strcmp(answer, "recorded") != 0)
                metrics_count(METRIC_FENCED, 1);
        log_info(EV("watch.errand"), LF_S("what", e->kind->what), LF_I("errand", e->id),
                 LF_S("work_item", e->work_item), LF_S("result", e->answer), LF_S("answer", answer));
        clear(e);
        claimer_next(&w->claimer);
}

static void record(struct errand *e)
{
        char id[24];
        (void)snprintf(id, sizeof(id), "%" PRId64, e->id);
        const char *params[] = {e->kind->what, id, e->token, e->answer};
        e->request = db_query(e->host->db, &Q_WATCH_FINISH, params, STATEMENT_DEADLINE_MS, on_recorded, e);
}

void errand_done(struct errand *e, struct json_out *j)
{
        struct strbuf text = STRBUF_INIT;
        if (e->forge_said != NULL) {
                json_out_key(j, "forge");
                json_out_object(j);
                json_out_kstr(j, "outcome", e->forge_said);
                json_out_object_end(j);
        }
        json_out_object_end(j);
        json_out_finish(j, &text);
        json_out_free(j);
        e->answer = xstrdup(text.buf);
        strbuf_deinit(&text);
        e->backoff = (struct backoff){.min_ms = RECORD_MIN_MS, .max_ms = RECORD_MAX_MS};
        loop_timer_soon(e->timer); /* the caller may still be inside an operation of ours */
}

static void on_timer(void *arg)
{
        struct errand *e = arg;
        if (e->answer == NULL) {
                e->kind->on_timer(e);
                return;
        }
        drop_operations(e);
        record(e);
}

/* ---- its begin ---- */

static char *copy(const struct db_result *res, int row, const char *column)
{
        const char *text = db_text(res, row, column);
        return text != NULL ? xstrdup(text) : NULL;
}

static void read_errand(struct errand *e, const struct db_result *res, int row)
{
        e->id = db_int(res, row, "id", 0);
        e->token = copy(res, row, "token");
        e->method = copy(res, row, "method");
        e->target = copy(res, row, "target");
        e->sha = copy(res, row, "sha");
        e->body = copy(res, row, "body");
        e->work_item = copy(res, row, "work_item");
        e->title = copy(res, row, "title");
        e->repo = copy(res, row, "repo");
        e->location = copy(res, row, "location");
        e->token_file = copy(res, row, "token_file");
        e->default_branch = copy(res, row, "default_branch");
        e->branch = copy(res, row, "branch");
        e->head_sha = copy(res, row, "head_sha");
        e->docs_dir = copy(res, row, "docs_dir");
        e->deploy_path = copy(res, row, "dir");
        e->check_command = copy(res, row, "check_command");
        e->info = (struct run_info){
                .job = 0,
                .epoch = e->id,
                .attempt = 1,
                .max_attempts = 1,
                .role = "monitor",
                .stage = "done",
                .work_item = e->work_item,
                .title = e->title,
                .description = "",
                .docs_dir = e->docs_dir,
                .test_command = "",
                .repo = e->repo,
                .remote = {.url = e->location, .token_file = e->token_file, .branch = e->default_branch},
                .branch = e->branch,
                .default_branch = e->default_branch,
                .head_sha = e->head_sha,
        };
}

static void take(void *arg, const struct db_result *res, int row)
{
        struct watch *w = arg;
        const char *what = db_text(res, row, "what");
        struct errand *e = w->errands;
        while (e < w->errands + AT_ONCE && e->kind != NULL)
                e++;
        if (e == w->errands + AT_ONCE)
                return; /* cannot be: as many were claimed as there are slots free */
        for (size_t i = 0; what != NULL && i < ARRAY_SIZE(kinds); i++)
                if (strcmp(kinds[i]->what, what) == 0)
                        e->kind = kinds[i];
        if (e->kind == NULL)
                return; /* of a newer release; it takes it when we have ended */
        if (w->claimer.stopped && e->kind->may_be_left) {
                e->kind = NULL;
                return;
        }
        read_errand(e, res, row);
        e->timer = loop_timer_new(w->cfg.host->loop, on_timer, e);
        e->kind->start(e);
}

/* ---- the whole ---- */

struct watch *watch_new(const struct watch_config *cfg)
{
        struct watch *w = xcalloc(1, sizeof(*w));
        w->cfg = *cfg;
        const struct claimer_config claimer = {.db = cfg->host->db,
                                               .statement = &Q_WATCH_CLAIM,
                                               .failed = EV("watch.claim-failed"),
                                               .room = room,
                                               .at_once = PROBES_AT_ONCE,
                                               .take = take,
                                               .arg = w,
                                               .on_idle = cfg->on_idle,
                                               .idle_arg = cfg->arg};
        claimer_init(&w->claimer, &claimer);
        for (size_t i = 0; i < AT_ONCE; i++)
                w->errands[i] = (struct errand){.watch = w, .host = cfg->host};
        return w;
}

void watch_free(struct watch *w)
{
        if (w == NULL)
                return;
        claimer_deinit(&w->claimer);
        for (size_t i = 0; i < AT_ONCE; i++)
                clear(&w->errands[i]);
        free(w);
}

void watch_wake(struct watch *w, int64_t process, int64_t epoch)
{
        claimer_wake(&w->claimer, process, epoch);
}

void watch_stop(struct watch *w)
{
        bool was_idle = watch_idle(w);
        claimer_stop(&w->claimer);
        for (size_t i = 0; i < AT_ONCE; i++) {
                struct errand *e = &w->errands[i];
                if (e->kind != NULL && e->answer == NULL && e->kind->may_be_left)
                        clear(e);
        }
        if (!was_idle && watch_idle(w))
                w->cfg.on_idle(w->cfg.arg);
}
