/*
 * orch-reconcilerd - moves on what stands still although nothing holds it. Wiring only: the work is in
 * sweep.c, and what it means is in SQL.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/daemon.h"
#include "common/db.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/process_row.h"
#include "reconcilerd/sweep.h"

struct reconcilerd {
        struct daemon *daemon;
        struct db *db;
        struct process_row *row;
        struct sweep *sweep;
};

static void on_left(void *arg)
{
        struct reconcilerd *self = arg;
        daemon_drained(self->daemon);
}

static void on_drain(void *arg, bool quick)
{
        struct reconcilerd *self = arg;
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
        struct reconcilerd *self = arg;
        sweep_set_interval(self->sweep, opt->reconcile_interval_ms);
        process_row_set_interval(self->row, opt->beat_interval_ms);
}

static void on_up(void *arg)
{
        struct reconcilerd *self = arg;
        process_row_up(self->row);
        if (process_row_live(self->row))
                sweep_wake(self->sweep);
}

static void on_registered(void *arg)
{
        struct reconcilerd *self = arg;
        sweep_wake(self->sweep);
        daemon_ready(self->daemon);
}

/* Taken for dead, wrongly or after a long sleep: the supervisor starts another, which has a row of its own.
 */
static void on_fenced(void *arg)
{
        struct reconcilerd *self = arg;
        sweep_stop(self->sweep);
        daemon_drained(self->daemon);
}

static int wire(struct reconcilerd *self)
{
        const struct options *opt = daemon_options(self->daemon);
        _cleanup_(freep) char *name = xasprintf("reconcilerd/%s", daemon_host(self->daemon));
        const struct db_config db_cfg = {
                .conninfo = opt->database,
                .default_user = "orch_reconcilerd",
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
                .daemon = "reconcilerd",
                .beat_interval_ms = opt->beat_interval_ms,
                .takeover_ms = opt->takeover_after_ms,
                .on_registered = on_registered,
                .on_fenced = on_fenced,
                .arg = self,
        };
        self->row = process_row_new(daemon_loop(self->daemon), self->db, &row_cfg);
        self->sweep = sweep_new(daemon_loop(self->daemon), self->db, opt->reconcile_interval_ms);
        return 0;
}

int main(int argc, char *argv[])
{
        struct reconcilerd self = {.daemon = NULL};
        const struct daemon_def def = {
                .name = "reconcilerd",
                .summary = "Moves on tasks whose event or job was lost",
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
