/*
 * daemon.c - the skeleton. Its one state machine is the drain:
 *
 *      running   waits for work        leaves when told to, or at the end of the supervisor
 *      draining  waits for the daemon  leaves at daemon_drained(); timer: drain_timeout, then quick
 *      quick     waits for the daemon  leaves at daemon_drained(); no timer: the supervisor has one, and
 * SIGKILL drained   the loop ends
 */
#include "common/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/listen.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/parent.h"
#include "common/version.h"

enum daemon_state { DAEMON_RUNNING, DAEMON_DRAINING, DAEMON_QUICK, DAEMON_DRAINED };

struct daemon {
        struct daemon_def def;
        enum daemon_state state;
        struct options *opt;
        char *host;
        struct loop *loop;
        struct parent *parent;
        struct loop_signal *signals[4];
        struct loop_timer *drain_timer;
        bool ready;
        bool replaced;
};

/* ---- the drain ---- */

static void call_drain(struct daemon *d, bool quick)
{
        if (d->def.on_drain != NULL)
                d->def.on_drain(d->def.arg, quick);
        else
                daemon_drained(d);
}

static void drain(struct daemon *d, const char *cause)
{
        if (d->state != DAEMON_RUNNING)
                return;
        d->state = DAEMON_DRAINING;
        log_info(EV("daemon.drain"), LF_S("cause", cause), LF_I("limit_ms", d->opt->drain_timeout_ms));
        parent_say(d->parent, CONTRACT_DRAINING);
        loop_timer_arm(d->drain_timer, d->opt->drain_timeout_ms);
        call_drain(d, false);
}

/* From any state: whoever is told to be quick has been told to drain before. */
static void drain_quickly(struct daemon *d, const char *cause)
{
        drain(d, cause);
        if (d->state != DAEMON_DRAINING)
                return;
        d->state = DAEMON_QUICK;
        loop_timer_disarm(d->drain_timer);
        log_info(EV("daemon.drain-quick"), LF_S("cause", cause));
        call_drain(d, true);
}

void daemon_drained(struct daemon *d)
{
        d->state = DAEMON_DRAINED;
        loop_timer_disarm(d->drain_timer);
        loop_stop(d->loop);
}

bool daemon_draining(const struct daemon *d)
{
        return d->state != DAEMON_RUNNING;
}

bool daemon_replaced(const struct daemon *d)
{
        return d->replaced;
}

static void on_drain_overdue(void *arg)
{
        drain_quickly(arg, "drain_timeout");
}

static void on_parent_gone(void *arg)
{
        struct daemon *d = arg;
        log_warning(EV("daemon.supervisor-gone"), LF_S("then", "drain and leave"));
        drain(d, "the supervisor is gone");
}

/* ---- reload ---- */

static void swap_options(struct daemon *d, struct options *next)
{
        struct options *old = d->opt;
        enum log_level level;
        int ignored = options_log_ignored_changes(old, next);
        d->opt = next;
        if (log_level_parse(next->log_level, &level) == 0)
                log_set_level(level);
        if (d->def.on_reload != NULL)
                d->def.on_reload(d->def.arg, next);
        options_free(old); /* only now: the daemon may still have held strings of it */
        log_info(EV("config.reloaded"), LF_I("ignored", ignored));
}

static void reload(struct daemon *d)
{
        struct options *next;
        struct errinfo err = ERRINFO_INIT;
        int r = options_reload(d->opt, &next, &err);
        if (r != OPTIONS_OK) {
                log_error(EV("config.refused"), LF_ERR(&err), LF_S("kept", "the configuration before"));
                return;
        }
        swap_options(d, next);
        if (d->ready)
                parent_say(d->parent, CONTRACT_READY);
}

/* ---- signals ---- */

static void on_terminate(void *arg, int signo)
{
        struct daemon *d = arg;
        if (d->state == DAEMON_RUNNING && signo == SIGTERM)
                drain(d, "SIGTERM");
        else
                drain_quickly(d, signo == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void on_replaced(void *arg, int signo)
{
        struct daemon *d = arg;
        (void)signo;
        if (d->state == DAEMON_RUNNING)
                d->replaced = true;
        drain(d, "replaced");
}

static void on_hangup(void *arg, int signo)
{
        struct daemon *d = arg;
        (void)signo;
        if (d->state == DAEMON_RUNNING)
                reload(d);
}

static void let_signals_through(bool through)
{
        sigset_t set;
        contract_signals(&set);
        (void)sigprocmask(through ? SIG_UNBLOCK : SIG_BLOCK, &set,
                          NULL); /* cannot fail with these arguments */
}

static void watch_signals(struct daemon *d)
{
        static const struct {
                int signo;
                loop_signal_fn *fn;
        } table[ARRAY_SIZE(d->signals)] = {
                {SIGTERM, on_terminate}, /* drain; a second one: quick */
                {SIGINT, on_terminate},  /* quick */
                {SIGHUP, on_hangup},     /* reload */
                {CONTRACT_SIGNAL_REPLACED, on_replaced},
        };
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                d->signals[i] = loop_signal_new(d->loop, table[i].signo, table[i].fn, d);
        let_signals_through(true);
}

/* ---- setting up ---- */

/* libcurl would send our requests through a proxy, or log TLS keys, because a variable says so. */
static void clean_environment(void)
{
        for (char **e = environ; *e != NULL;) {
                size_t len = strcspn(*e, "=");
                _cleanup_(freep) char *name = xstrndup(*e, len);
                bool proxy = len > 6 && strcasecmp(name + len - 6, "_proxy") == 0;
                if ((*e)[len] == '=' && (proxy || strcmp(name, "SSLKEYLOGFILE") == 0))
                        (void)unsetenv(name); /* moves the next entry here; cannot fail for a valid name */
                else
                        e++;
        }
}

/* No core dump, no ptrace by others of our user: memory holds secrets. And children must be waited for,
 * whatever our starter thought of SIGCHLD. */
static int harden(void)
{
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
                return -errno;
        clean_environment();
        return 0;
}

static int load_options(struct daemon *d, int argc, char *const *argv)
{
        struct errinfo err = ERRINFO_INIT;
        enum log_level level = LOGL_INFO;
        _cleanup_(freep) char *program = xasprintf("orch-%s", d->def.name);
        int r = options_load(argc, argv, program, d->def.summary, &d->opt, &err);
        if (r == OPTIONS_INVALID) {
                log_error(EV("config.invalid"), LF_ERR(&err));
                return DAEMON_CONFIG;
        }
        if (r != OPTIONS_OK)
                return r < 0 ? r : DAEMON_DONE;
        if (log_level_parse(d->opt->log_level, &level) == 0)
                log_set_level(level);
        return 0;
}

static int find_host(struct daemon *d)
{
        char name[256];
        if (d->opt->host_name[0] != '\0') {
                d->host = xstrdup(d->opt->host_name);
                return 0;
        }
        if (gethostname(name, sizeof(name)) < 0)
                return -errno;
        name[sizeof(name) - 1] = '\0'; /* POSIX does not promise it for a name that was cut */
        d->host = xstrdup(name);
        return 0;
}

static int set_up(struct daemon *d, int argc, char *const *argv)
{
        log_init(d->def.name, LOGL_INFO);
        int r = load_options(d, argc, argv);
        if (r == 0)
                r = harden();
        if (r == 0)
                r = find_host(d);
        if (r != 0)
                return r;
        r = metrics_init(d->def.name);
        if (r < 0)
                return r;
        if (r == METRICS_APART)
                log_warning(EV("metrics.apart"), LF_S("then", "what the page lacks is not seen"));
        r = loop_new(&d->loop);
        if (r < 0)
                return r;
        d->drain_timer = loop_timer_new(d->loop, on_drain_overdue, d);
        watch_signals(d);
        return parent_new(d->loop, on_parent_gone, d, &d->parent);
}

int daemon_new(int argc, char *const *argv, const struct daemon_def *def, struct daemon **ret_daemon)
{
        struct daemon *d = xcalloc(1, sizeof(*d));
        d->def = *def;
        let_signals_through(false); /* as the supervisor starts us; who else does may not have */
        int r = set_up(d, argc, argv);
        if (r != 0) {
                daemon_free(d);
                return r;
        }
        log_info(EV("daemon.started"), LF_S("version", ORCH_VERSION), LF_S("commit", ORCH_COMMIT));
        *ret_daemon = d;
        return 0;
}

void daemon_free(struct daemon *d)
{
        if (d == NULL)
                return;
        let_signals_through(false); /* a late one would end us by itself, and spoil the exit status */
        parent_free(d->parent);
        for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
                loop_signal_free(d->signals[i]);
        loop_timer_free(d->drain_timer);
        loop_free(d->loop);
        free(d->host);
        options_free(d->opt);
        free(d);
}

/* ---- for the daemon's own code ---- */

void daemon_set_arg(struct daemon *d, void *arg)
{
        d->def.arg = arg;
}

struct loop *daemon_loop(struct daemon *d)
{
        return d->loop;
}

const struct options *daemon_options(struct daemon *d)
{
        return d->opt;
}

const char *daemon_name(const struct daemon *d)
{
        return d->def.name;
}

const char *daemon_host(struct daemon *d)
{
        return d->host;
}

void daemon_ready(struct daemon *d)
{
        if (d->ready)
                return;
        d->ready = true;
        log_info(EV("daemon.ready"));
        parent_say(d->parent, CONTRACT_READY);
}

void daemon_busy(struct daemon *d, uint32_t units)
{
        parent_busy(d->parent, units);
}

int daemon_run(struct daemon *d)
{
        int r = loop_run(d->loop);
        if (r == 0)
                log_info(EV("daemon.ended"));
        return r;
}

int daemon_exit_code(struct daemon *d, int r)
{
        (void)d; /* what there is to say does not depend on how far the daemon came */
        if (r == DAEMON_OK || r == DAEMON_DONE)
                return EXIT_OK;
        if (r == DAEMON_CONFIG)
                return EXIT_CONFIG;
        if (r < 0)
                log_error(EV("daemon.failed"), LF_ERRNO(r));
        return EXIT_FAILED;
}

int daemon_listener(struct daemon *d, const char *env_name, const char *address)
{
        struct errinfo err = ERRINFO_INIT;
        const char *inherited = getenv(env_name);
        int fd = -1, r;
        (void)d;
        if (inherited != NULL && inherited[0] != '\0')
                r = listen_inherited(inherited, &fd, &err);
        else
                r = listen_open(address, &fd, &err);
        if (r < 0) {
                log_error(EV("daemon.no-listener"), LF_S("variable", env_name), LF_ERR(&err));
                return r;
        }
        return fd;
}
