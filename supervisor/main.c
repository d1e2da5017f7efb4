/* orch-supervisor - keeps the daemons of a host running. See supervisor.h for what it does and does not do.
 */
#include <stdio.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options.h"
#include "supervisor/supervisor.h"

#define SUMMARY "Opens the listening sockets, starts the daemons of this host, and keeps them running."

static void options_freep(struct options **o)
{
        options_free(*o);
}

static void supervisor_freep(struct supervisor **s)
{
        supervisor_free(*s);
}

static enum contract_exit run(char *const *argv, const struct options *opt)
{
        _cleanup_(supervisor_freep) struct supervisor *s = NULL;
        enum log_level level = LOGL_INFO;
        int r = log_level_parse(opt->log_level, &level);

        log_init("supervisor", level);
        if (r < 0) {
                log_error(EV("supervisor.bad-log-level"), LF_S("value", opt->log_level));
                return EXIT_CONFIG;
        }
        r = supervisor_new(argv, opt, &s);
        if (r == 0)
                r = supervisor_run(s);
        return r == 0 ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char *argv[])
{
        _cleanup_(options_freep) struct options *opt = NULL;
        struct errinfo err = ERRINFO_INIT;
        int r = options_load(argc, argv, "orch-supervisor", SUMMARY, &opt, &err);

        if (r == OPTIONS_DONE)
                return EXIT_OK;
        if (r != 0) {
                (void)fprintf(stderr, "orch-supervisor: %s\n", err.text);
                return EXIT_CONFIG;
        }
        return run(argv, opt);
}
