/*
 * orch-reaperd - finds processes that died without a word, and gives their work back. Wiring only: the work
 * is in sweep*.c, and what it means is in SQL.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/daemon.h"
#include "common/db.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/process_row.h"
#include "reaperd/sweep.h"

struct reaperd {
        struct daemon *daemon;
        struct db *db;
        struct process_row *row;
        struct sweep *sweep;
};

static void on_left(void *arg)
{
        struct reaperd *self = arg;
        daemon_drained(self->daemon);
}

static void on_drain(void *arg, bool quick)
{
        struct reaperd *self = arg;
        if (quick) {
                daemon_drained(
                        self->daemon); /* a second signal during the leave: the reaper will see the rest */
                return;
        }
        sweep_stop(self->sweep);
        process_row_leave(self->row, on_left, self);
}

static void on_reload(void *arg, const struct options *opt)
{
        struct reaperd *self = arg;
        sweep_set_limits(self->sweep, opt);
        process_row_set_interval(self->row, opt->beat_interval_ms);
}

static void on_up(void *arg)
{
        struct reaperd *self = arg;
        process_row_up(self->row);
        if (process_row_live(self->row))
                sweep_wake(self->sweep);
}

/* Nobody is judged before: our name may be another machine's, or the schema not ours. */
static void on_registered(void *arg)
{
        struct reaperd *self = arg;
        sweep_wake(self->sweep);
        daemon_ready(self->daemon);
}

/* Taken for dead, wrongly or after a long sleep: the supervisor starts another, which has a row of its own.
 */
static void on_fenced(void *arg)
{
        struct reaperd *self = arg;
        sweep_stop(self->sweep);
        daemon_drained(self->daemon);
}

static int wire(struct reaperd *self)
{
        const struct options *opt = daemon_options(self->daemon);
        _cleanup_(freep) char *name = xasprintf("reaperd/%s", daemon_host(self->daemon));
        const struct db_config db_cfg = {
                .conninfo = opt->database,
                .default_user = "orch_reaperd",
                .application_name = name,
                .statement_timeout_ms = 30000,
                .on_up = on_up,
                .arg = self,
        };
        int r = db_new(daemon_loop(self->daemon), &db_cfg, &self->db);
        if (r < 0)
                return r;
        const struct process_row_config row_cfg = {
                .host = daemon_host(self->daemon),
                .daemon = "reaperd",
                .beat_interval_ms = opt->beat_interval_ms,
                .takeover_ms = opt->takeover_after_ms,
                .on_registered = on_registered,
                .on_fenced = on_fenced,
                .arg = self,
        };
        self->row = process_row_new(daemon_loop(self->daemon), self->db, &row_cfg);
        const struct sweep_config sweep_cfg = {
                .loop = daemon_loop(self->daemon),
                .db = self->db,
                .row = self->row,
                .host = daemon_host(self->daemon),
                .opt = opt,
        };
        return sweep_new(&sweep_cfg, &self->sweep);
}

int main(int argc, char *argv[])
{
        struct reaperd self = {.daemon = NULL};
        const struct daemon_def def = {
                .name = "reaperd",
                .summary = "Gives back the work of processes that died",
                .on_drain = on_drain,
                .on_reload = on_reload,
                .arg = &self,
        };
        int r = daemon_new(argc, argv, &def, &self.daemon);
        if (r == 0)
                r = wire(&self);
        if (r == 0)
                r = daemon_run(self.daemon);
        int code = daemon_exit_code(self.daemon, r);
        sweep_free(self.sweep);
        process_row_free(self.row);
        db_free(self.db);
        daemon_free(self.daemon);
        return code;
}
