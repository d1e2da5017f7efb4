/* keeper.c - the tick: rows, then the folders of runs and deploys on this host, then their commits in its
 * mirrors. */
#include "reaperd/keeper_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/git.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/process_row.h"
#include "common/tree_remove.h"
#include "queries.h"

#define DEADLINE_MS   20000
#define GIT_PATH      "/usr/local/bin:/usr/bin:/bin"
#define GIT_PROTOCOLS "file"

const char *keeper_what(const struct keeper *k)
{
        switch (k->state) {
        case KEEPER_ROWS:
                return "rows";
        case KEEPER_FILES:
                return "files";
        case KEEPER_DEPLOYS:
                return "deploys";
        default:
                return "commits";
        }
}

/* --- what the parts share --- */

static const char *number(int64_t n, char text[static 24])
{
        (void)snprintf(text, 24, "%" PRId64, n);
        return text;
}

const char *keeper_process(const struct keeper *k)
{
        static char text[24];
        return number(process_row_id(k->row), text);
}

const char *keeper_epoch(const struct keeper *k)
{
        static char text[24];
        return number(process_row_epoch(k->row), text);
}

static void forget_runs(struct keeper *k)
{
        for (size_t i = 0; i < k->n_runs; i++)
                free(k->runs[i].repo);
        k->n_runs = k->next = 0;
        run_dir_deinit(&k->dir);
}

static void rest(struct keeper *k)
{
        forget_runs(k);
        closep(&k->lock);
        k->lock = -1;
        k->state = KEEPER_IDLE;
        loop_timer_arm(k->timer, k->more && k->soon_ms < k->interval_ms ? k->soon_ms : k->interval_ms);
}

void keeper_ask(struct keeper *k, const struct db_statement *st, const char *const *params, db_result_fn *fn)
{
        k->request = db_query(k->db, st, params, DEADLINE_MS, fn, k);
}

bool keeper_heard(struct keeper *k, const struct db_result *res)
{
        k->request = NULL;
        if (res->outcome == DB_OK)
                return true;
        if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("retention.failed"), LF_S("what", keeper_what(k)), LF_ERR(&res->err),
                            LF_S("then", "tried again at the next tick"));
        k->more = false;
        rest(k);
        return false;
}

/* --- what runs have left on this host --- */

static void list(struct keeper *k, enum keeper_state state);

static void next_part(struct keeper *k)
{
        if (k->state == KEEPER_FILES)
                list(k, KEEPER_DEPLOYS);
        else if (k->state == KEEPER_DEPLOYS)
                list(k, KEEPER_COMMITS);
        else
                rest(k);
}

static void on_told(void *arg, const struct db_result *res)
{
        struct keeper *k = arg;
        if (keeper_heard(k, res))
                next_part(k);
}

void keeper_listed_done(struct keeper *k)
{
        _cleanup_(strbuf_deinit) struct strbuf runs = STRBUF_INIT;
        int64_t n = 0;
        for (size_t i = 0; i < k->n_runs; i++)
                if (k->runs[i].done)
                        strbuf_addf(&runs, "%s%" PRId64, n++ > 0 ? "," : "{", k->runs[i].run);
        if (n == 0) {
                next_part(k);
                return;
        }
        strbuf_addch(&runs, '}');
        log_info(EV("retention.removed"), LF_S("what", keeper_what(k)), LF_I("runs", n));
        metrics_count(k->state == KEEPER_COMMITS ? METRIC_RETENTION_COMMITS : METRIC_RETENTION_FOLDERS,
                      (uint64_t)n);
        k->more = true;
        const char *params[] = {keeper_process(k), keeper_epoch(k), keeper_what(k), runs.buf};
        keeper_ask(k, &Q_RETENTION_FILES_DONE, params, on_told);
}

static void on_listed(void *arg, const struct db_result *res)
{
        struct keeper *k = arg;
        if (!keeper_heard(k, res))
                return;
        for (int i = 0; i < db_rows(res) && i < KEEPER_RUNS_MAX; i++)
                k->runs[k->n_runs++] = (struct keeper_run){.run = db_int(res, i, "run_id", 0),
                                                           .job = db_int(res, i, "job_id", 0),
                                                           .epoch = db_int(res, i, "epoch", 0),
                                                           .repo = xstrdup(db_text(res, i, "repo")),
                                                           .over = db_bool(res, i, "over")};
        if (k->state == KEEPER_COMMITS)
                keeper_commits(k);
        else
                keeper_files(k);
}

static void list(struct keeper *k, enum keeper_state state)
{
        forget_runs(k);
        k->state = state;
        const char *params[] = {keeper_process(k), keeper_epoch(k), keeper_what(k)};
        keeper_ask(k, &Q_RETENTION_FILES, params, on_listed);
}

/* Another reaper of this host may be at it: the one before, or after, in an upgrade. */
static bool take_lock(struct keeper *k)
{
        _cleanup_(freep) char *folder = xasprintf("%s/locks", k->state_dir);
        _cleanup_(freep) char *path = xasprintf("%s/retention", folder);
        (void)mkdir(folder, 0700); /* if it cannot be made, the file cannot either */
        k->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (k->lock >= 0 && flock(k->lock, LOCK_EX | LOCK_NB) == 0)
                return true;
        if (k->lock < 0)
                log_warning(EV("retention.failed"), LF_S("what", "files"), LF_S("path", path),
                            LF_ERRNO(errno), LF_S("then", "tried again at the next tick"));
        return false;
}

/* --- rows --- */

static void on_rows(void *arg, const struct db_result *res)
{
        struct keeper *k = arg;
        if (!keeper_heard(k, res))
                return;
        for (int i = 0; i < db_rows(res); i++) {
                const char *rule = db_text(res, i, "rule"), *error = db_text(res, i, "error");
                int64_t removed = db_int(res, i, "removed", 0);
                if (error != NULL)
                        log_warning(EV("retention.failed"), LF_S("what", rule), LF_S("error", error),
                                    LF_S("then", "tried again at the next tick; the other rules go on"));
                if (removed > 0)
                        log_info(EV("retention.removed"), LF_S("what", rule), LF_I("rows", removed));
                metrics_count(METRIC_RETENTION_ROWS, (uint64_t)removed);
                k->more |= db_bool(res, i, "more");
        }
        if (take_lock(k))
                list(k, KEEPER_FILES);
        else
                rest(k);
}

static void on_timer(void *arg)
{
        struct keeper *k = arg;
        if (k->state != KEEPER_IDLE)
                return;
        k->more = false;
        if (!process_row_live(k->row)) {
                rest(k);
                return;
        }
        k->state = KEEPER_ROWS;
        keeper_ask(k, &Q_RETENTION_TICK, NULL, on_rows);
}

/* --- life --- */

struct keeper *keeper_new(const struct sweep_config *cfg)
{
        const struct git_config git = {
                .path = GIT_PATH, .protocols = GIT_PROTOCOLS, .timeout_ms = cfg->opt->git_timeout_ms};
        struct keeper *k = xcalloc(1, sizeof(*k));
        k->loop = cfg->loop;
        k->db = cfg->db;
        k->row = cfg->row;
        k->lock = -1;
        k->state_dir = xstrdup(cfg->opt->state_dir);
        k->git = git_new(cfg->loop, &git);
        k->timer = loop_timer_new(cfg->loop, on_timer, k);
        keeper_reload(k, cfg->opt);
        return k;
}

void keeper_free(struct keeper *k)
{
        if (k == NULL)
                return;
        keeper_stop(k);
        forget_runs(k);
        loop_timer_free(k->timer);
        git_free(k->git);
        free(k->state_dir);
        free(k);
}

void keeper_wake(struct keeper *k)
{
        if (k->state == KEEPER_IDLE)
                loop_timer_arm(k->timer, k->soon_ms);
}

void keeper_reload(struct keeper *k, const struct options *opt)
{
        k->interval_ms = opt->retention_interval_ms;
        k->soon_ms = opt->reaper_interval_ms;
        git_set_timeout(k->git, opt->git_timeout_ms);
}

void keeper_stop(struct keeper *k)
{
        db_request_forget(take_ptr(k->request));
        tree_remove_cancel(take_ptr(k->op));
        git_cancel(take_ptr(k->git_op));
        loop_timer_disarm(k->timer);
        closep(&k->lock);
        k->lock = -1;
        k->state = KEEPER_STOPPED;
}
