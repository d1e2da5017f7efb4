/*
 * main.c - orch-webhookd: takes webhooks in and shows how the suite is. Two listeners inherited from the
 * supervisor, shared with its siblings; no agent is run and nothing is called from here.
 */
#include "common/daemon.h"
#include "common/mem.h"
#include "webhookd/webhookd.h"

static void daemon_freep(struct daemon **d)
{
        daemon_free(*d);
}

static void webhookd_freep(struct webhookd **w)
{
        webhookd_free(*w);
}

int main(int argc, char *argv[])
{
        static const struct daemon_def def = {
                .name = "webhookd",
                .summary = "Takes webhooks in, and shows how the suite is.",
                .on_drain = webhookd_drain,
                .on_reload = webhookd_reload,
        };
        _cleanup_(daemon_freep) struct daemon *d = NULL;
        _cleanup_(webhookd_freep) struct webhookd *w = NULL;
        int r = daemon_new(argc, argv, &def, &d);
        if (r == 0)
                r = webhookd_new(d, &w);
        if (r == 0) {
                daemon_set_arg(d, w);
                r = daemon_run(d);
        }
        return daemon_exit_code(d, r);
}
