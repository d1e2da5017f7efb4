/*
 * orch-shim - keeps one agent: its process group and what escapes from it, its log, its limits, its end.
 *
 * It is the only process that stands between an agent and the rest of the host, so it is small, allocates
 * nothing, needs only libc, and knows neither job nor database. It does its duty whatever becomes of workerd.
 * What it leaves on disk is described in log.h, status.h and lock.h; what it hears and says in control.h.
 *
 * Exit code (contract.h): 0 the status was written; 75 nothing was begun: another shim of the same job lives,
 * or what a killed one left behind cannot be killed, or whoever started us is gone already, or its renewal is
 * too old by now; 2 wrong command line; 1 anything else, said on standard error.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/contract.h"
#include "shim/args.h"
#include "shim/control.h"
#include "shim/lock.h"
#include "shim/strays.h"
#include "shim/watch.h"

#define STRAYS_TIMEOUT_MS 5000

static int fail(const char *what, int r)
{
        (void)fprintf(stderr, "orch-shim: could not %s: %s\n", what, strerror(-r));
        return EXIT_FAILED;
}

int main(int argc, char *argv[])
{
        static struct lock lock = {.fd = -1};
        static struct control control = CONTROL_INIT;
        struct args args;
        if (args_parse(argc, argv, &args) < 0)
                return EXIT_USAGE;

        (void)close_range(CONTROL_FD + 1, ~0U,
                          0); /* what an older kernel cannot close is close-on-exec anyway */
        (void)setsid();       /* fails for a group leader, which is as good */
        (void)signal(SIGPIPE, SIG_IGN);
        control_init(&control);

        int r = lock_take(&lock, args.lock, args.lock_wait_ms);
        if (r == 0 && lock.predecessor[0] != '\0')
                r = strays_kill(lock.predecessor, STRAYS_TIMEOUT_MS);
        if (r == -EWOULDBLOCK || r == -ETIMEDOUT) {
                control_say(&control, "locked-out");
                return EXIT_TEMPORARY;
        }
        if (r < 0)
                return fail("take the lock", r);
        if (args.clean) {
                lock_clear(&lock);
                return EXIT_OK;
        }
        /* From now on whoever looks for this run finds the lock held. Before, it may have been found to be
         * lost, and its job given to somebody else; but only once its starter was dead. */
        if (control_is_abandoned(&control)) {
                lock_clear(&lock);
                return EXIT_TEMPORARY;
        }
        r = watch_run(&args, &lock, &control);
        if (r == -ESTALE) {
                (void)fprintf(stderr,
                              "orch-shim: nobody has renewed the run for too long: it is not begun\n");
                lock_clear(&lock);
                return EXIT_TEMPORARY;
        }
        return r < 0 ? fail("keep the agent", r) : EXIT_OK;
}
