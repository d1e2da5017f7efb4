/* sweeper.c - the wiring of a sweeping daemon. See sweeper.h. */
#include "common/sweeper.h"

#include <stdbool.h>
#include <stddef.h>

#include "common/daemon.h"
#include "common/daemon_db.h"
#include "common/db.h"
#include "common/options.h"
#include "common/process_row.h"

#define STATEMENT_TIMEOUT_MS 30000

struct process {
        const struct sweeper *def;
        struct daemon *daemon;
        struct db *db;
        struct process_row *row;
        struct sweep *sweep;
};

static void on_left(void *arg)
{
        struct process *p = arg;
        daemon_drained(p->daemon);
}

static void on_drain(void *arg, bool quick)
{
        struct process *p = arg;
        if (quick) {
                daemon_drained(p->daemon); /* while it leaves: the reaper will see the rest */
                return;
        }
        p->def->stop(p->sweep);
        process_row_leave(p->row, on_left, p);
}

static void on_reload(void *arg, const struct options *opt)
{
        struct process *p = arg;
        p->def->reload(p->sweep, opt);
        process_row_set_interval(p->row, opt->beat_interval_ms);
}

static void on_up(void *arg)
{
        struct process *p = arg;
        process_row_up(p->row);
        if (process_row_live(p->row))
                p->def->wake(p->sweep);
}

/* Nothing is looked at before: our name may be another machine's, or the schema not ours. */
static void on_registered(void *arg)
{
        struct process *p = arg;
        p->def->wake(p->sweep);
        daemon_ready(p->daemon);
}

/* Taken for dead, wrongly or after a long sleep: the supervisor starts another, which has a row of its own.
 */
static void on_fenced(void *arg)
{
        struct process *p = arg;
        p->def->stop(p->sweep);
        daemon_drained(p->daemon);
}

static int wire(struct process *p)
{
        const struct options *opt = daemon_options(p->daemon);
        const struct db_config db_cfg = {
                .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                .on_up = on_up,
                .arg = p,
        };
        int r = daemon_db(p->daemon, "", &db_cfg, &p->db);
        if (r < 0)
                return r;
        const struct process_row_config row_cfg = {
                .host = daemon_host(p->daemon),
                .daemon = p->def->name,
                .beat_interval_ms = opt->beat_interval_ms,
                .takeover_ms = opt->takeover_after_ms,
                .on_registered = on_registered,
                .on_fenced = on_fenced,
                .arg = p,
        };
        p->row = process_row_new(daemon_loop(p->daemon), p->db, &row_cfg);
        const struct sweep_config sweep_cfg = {
                .loop = daemon_loop(p->daemon),
                .db = p->db,
                .row = p->row,
                .host = daemon_host(p->daemon),
                .opt = opt,
        };
        return p->def->make(&sweep_cfg, &p->sweep);
}

int sweeper_main(int argc, char *argv[], const struct sweeper *def)
{
        struct process p = {.def = def};
        const struct daemon_def daemon_def = {
                .name = def->name,
                .summary = def->summary,
                .on_drain = on_drain,
                .on_reload = on_reload,
                .arg = &p,
        };
        int r = daemon_new(argc, argv, &daemon_def, &p.daemon);
        if (r == 0)
                r = wire(&p);
        if (r == 0)
                r = daemon_run(p.daemon);
        int code = daemon_exit_code(p.daemon, r);
        def->free(p.sweep);
        process_row_free(p.row);
        db_free(p.db);
        daemon_free(p.daemon);
        return code;
}
