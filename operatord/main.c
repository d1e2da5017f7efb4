/*
 * main.c - orch-operatord: the operator port, for people and programs with a token. Its listener is inherited
 * from the supervisor.
 */
#include "common/daemon.h"
#include "common/mem.h"
#include "operatord/operatord.h"

static void daemon_freep(struct daemon **d)
{
        daemon_free(*d);
}

static void operatord_freep(struct operatord **o)
{
        operatord_free(*o);
}

int main(int argc, char *argv[])
{
        static const struct daemon_def def = {
                .name = "operatord",
                .summary = "Lets people and programs with a token act, and look.",
                .on_drain = operatord_drain,
                .on_reload = operatord_reload,
        };
        _cleanup_(daemon_freep) struct daemon *d = NULL;
        _cleanup_(operatord_freep) struct operatord *o = NULL;
        int r = daemon_new(argc, argv, &def, &d);
        if (r == 0)
                r = operatord_new(d, &o);
        if (r == 0) {
                daemon_set_arg(d, o);
                r = daemon_run(d);
        }
        return daemon_exit_code(d, r);
}
