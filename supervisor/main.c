/* orch-supervisor - keeps the daemons of a host running. See supervisor.h for what it does and does not do.
 */
#include <stdbool.h>
#include <stdio.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/options.h"
#include "supervisor/handover.h"
#include "supervisor/reexec.h"
#include "supervisor/supervisor.h"
#include "supervisor/trial.h"

#define SUMMARY "Opens the listening sockets, starts the daemons of this host, and keeps them running."

static void options_freep(struct options **o)
{
        options_free(*o);
}

static void supervisor_freep(struct supervisor **s)
{
        supervisor_free(*s);
}

static int refuse(enum contract_exit code, const struct errinfo *err)
{
        (void)fprintf(stderr, "orch-supervisor: %s\n", err->text);
        return code;
}

static int run(char *const *argv, const struct options *opt, struct handover *h)
{
        _cleanup_(supervisor_freep) struct supervisor *s = NULL;
        enum log_level level = LOGL_INFO;
        int r = log_level_parse(opt->log_level, &level);

        log_init("supervisor", level);
        if (r < 0) {
                log_error(EV("supervisor.bad-log-level"), LF_S("value", opt->log_level));
                return EXIT_CONFIG;
        }
        r = supervisor_new(argv, opt, h, &s);
        if (r == 0)
                r = supervisor_run(s);
        return r == 0 ? EXIT_OK : EXIT_FAILED;
}

/* In an upgrade: asked whether we would, or to take over. */
static int succeed(char *const *argv, const struct options *opt, int handover_fd, bool is_trial)
{
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT;
        struct errinfo err = ERRINFO_INIT;
        int r = handover_read(handover_fd, &h, &err);

        closep(&handover_fd);
        if (r == 0 && is_trial)
                r = trial_answer(opt, &h, &err);
        if (r < 0)
                return refuse(EXIT_FAILED, &err);
        return is_trial ? EXIT_OK : run(argv, opt, &h);
}

int main(int argc, char *argv[])
{
        _cleanup_(options_freep) struct options *opt = NULL;
        struct errinfo err = ERRINFO_INIT;
        bool is_trial = false;
        int handover_fd = reexec_inherited(&is_trial);
        int r = options_load(argc, argv, "orch-supervisor", SUMMARY, &opt, &err);

        if (r == OPTIONS_DONE)
                return EXIT_OK;
        if (r != 0)
                return refuse(EXIT_CONFIG, &err);
        return handover_fd == REEXEC_NONE ? run(argv, opt, NULL) : succeed(argv, opt, handover_fd, is_trial);
}
