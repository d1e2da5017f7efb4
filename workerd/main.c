/* orch-workerd - runs jobs, consumes events, executes effects. Wiring only: the work is in worker.c. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/daemon.h"
#include "common/daemon_db.h"
#include "common/db.h"
#include "common/options.h"
#include "workerd/worker.h"

struct workerd {
        struct daemon *daemon;
        struct db *db;
        struct worker *worker;
        bool fenced;
};

static void on_drain(void *arg, bool quick)
{
        struct workerd *self = arg;
        worker_drain(self->worker, quick);
}

static void on_reload(void *arg, const struct options *opt)
{
        struct workerd *self = arg;
        worker_reload(self->worker, opt);
}

static void on_up(void *arg)
{
        struct workerd *self = arg;
        worker_up(self->worker);
}

static void on_notify(void *arg)
{
        struct workerd *self = arg;
        worker_hint(self->worker);
}

static void on_ready(void *arg)
{
        struct workerd *self = arg;
        daemon_ready(self->daemon);
}

static void on_busy(void *arg, unsigned jobs)
{
        struct workerd *self = arg;
        daemon_busy(self->daemon, jobs);
}

static void on_gone(void *arg, bool fenced)
{
        struct workerd *self = arg;
        self->fenced = fenced;
        daemon_drained(self->daemon);
}

static int wire(struct workerd *self)
{
        const struct options *opt = daemon_options(self->daemon);
        const struct db_config db_cfg = {
                .statement_timeout_ms = 10000,
                .listen_channel = "orch_work",
                .on_up = on_up,
                .on_notify = on_notify,
                .arg = self,
        };
        int r = daemon_db(self->daemon, "", &db_cfg, &self->db);
        if (r < 0)
                return r;
        const struct worker_config cfg = {
                .loop = daemon_loop(self->daemon),
                .db = self->db,
                .opt = opt,
                .host = daemon_host(self->daemon),
                .on_ready = on_ready,
                .on_busy = on_busy,
                .on_gone = on_gone,
                .arg = self,
        };
        return worker_new(&cfg, &self->worker);
}

int main(int argc, char *argv[])
{
        struct workerd self = {.daemon = NULL};
        const struct daemon_def def = {
                .name = "workerd",
                .summary = "Runs jobs, consumes events, executes effects",
                .on_drain = on_drain,
                .on_reload = on_reload,
                .arg = &self,
        };
        int r = daemon_new(argc, argv, &def, &self.daemon);
        if (r == 0)
                r = wire(&self);
        if (r == 0)
                r = daemon_run(self.daemon);
        if (r == 0 && self.fenced)
                r = -ESTALE; /* so that the supervisor sees a death and starts another */
        int code = daemon_exit_code(self.daemon, r);
        worker_free(self.worker);
        db_free(self.db);
        daemon_free(self.daemon);
        return code;
}
