/* supervisor.c - puts the parts together and reacts to signals. */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/version.h"
#include "supervisor/handover.h"
#include "supervisor/listeners.h"
#include "supervisor/notify.h"
#include "supervisor/pidfile.h"
#include "supervisor/suite.h"
#include "supervisor/supervisor_internal.h"
#include "supervisor/upgrade.h"

/* --- what the suite and the listeners tell --- */

static void on_ready(void *arg)
{
        struct supervisor *s = arg;

        s->ready = true;
        log_info(EV("supervisor.ready"));
        notify_ready(s->notify);
}

static void on_status(void *arg, const char *status)
{
        struct supervisor *s = arg;

        notify_status(s->notify, status);
}

static void on_stopped(void *arg)
{
        struct supervisor *s = arg;

        log_info(EV("supervisor.stopped"));
        loop_stop(s->loop);
}

static void on_upgraded(void *arg, const char *why)
{
        struct supervisor *s = arg;

        upgrade_rolled(s->upgrade, why);
}

static struct suite_events events_to(struct supervisor *s)
{
        return (struct suite_events){on_ready, on_status, on_upgraded, on_stopped, s};
}

static struct launch_plan make_plan(const struct supervisor *s)
{
        return (struct launch_plan){
                .loop = s->loop,
                .bin_dir = s->bin_dir,
                .args = s->argv + 1,
                .listen_fds =
                        {
#define X(id, name, env) [CONTRACT_LISTENER_##id] = listeners_fd(s->listeners, CONTRACT_LISTENER_##id),
                                CONTRACT_LISTENERS(X)
#undef X
                        },
                .metrics_fd = s->metrics_fd,
                .metrics = s->metrics,
        };
}

static void on_listeners(void *arg, const struct errinfo *err)
{
        struct supervisor *s = arg;

        if (err != NULL) {
                log_error(EV("supervisor.no-listeners"), LF_ERR(err));
                s->result = -EADDRINUSE;
                loop_stop(s->loop);
                return;
        }
        const struct launch_plan plan = make_plan(s);
        const struct suite_events events = events_to(s);

        s->suite = suite_new(&plan, s->opt, &events);
        suite_start(s->suite);
}

/* --- signals --- */

static void begin_to_stop(struct supervisor *s, int signo)
{
        log_info(EV("supervisor.stopping"), LF_I("signal", signo));
        notify_stopping(s->notify);
        upgrade_abandon(s->upgrade);
        if (s->suite != NULL)
                suite_drain(s->suite);
        else
                loop_stop(s->loop); /* nothing has been started yet */
}

static void on_stop_signal(void *arg, int signo)
{
        struct supervisor *s = arg;

        if (!s->stopping) {
                s->stopping = true;
                begin_to_stop(s, signo);
        } else if (s->suite != NULL) {
                log_info(EV("supervisor.quick"), LF_I("signal", signo));
                suite_quick(s->suite);
        }
}

static void apply_reload(struct supervisor *s, const struct options *next)
{
        enum log_level level;

        (void)options_log_ignored_changes(s->opt, next); /* has said what it found */
        if (log_level_parse(next->log_level, &level) == 0)
                log_set_level(level);
        if (s->suite != NULL)
                suite_reload(s->suite, next->drain_timeout_ms);
        log_info(EV("supervisor.reloaded"));
}

static void on_reload_signal(void *arg, int signo)
{
        struct supervisor *s = arg;
        struct errinfo err = ERRINFO_INIT;
        struct options *next = NULL;
        bool tell = s->ready && !upgrade_is_under_way(s->upgrade); /* that one says ready at its end */

        (void)signo; /* only one comes here */
        if (s->stopping)
                return;
        if (tell)
                notify_reloading(s->notify);
        if (options_reload(s->opt, &next, &err) == 0)
                apply_reload(s, next);
        else
                log_error(EV("supervisor.reload-refused"), LF_ERR(&err),
                          LF_S("effect", "the old configuration stays"));
        options_free(next);
        if (tell)
                notify_ready(s->notify);
}

static void on_upgrade_signal(void *arg, int signo)
{
        struct supervisor *s = arg;

        (void)signo; /* only one comes here */
        upgrade_ask(s->upgrade);
}

static const struct {
        int signo;
        loop_signal_fn *fn;
} signal_table[SUPERVISOR_SIGNALS] = {
        {SIGTERM, on_stop_signal},    /* drain; a second one is quick */
        {SIGINT, on_stop_signal},     /* the same, from a terminal */
        {SIGHUP, on_reload_signal},   /* read the configuration again */
        {SIGUSR2, on_upgrade_signal}, /* become the programs that are there now */
};

void supervisor_block_signals(bool block)
{
        sigset_t set;

        (void)sigemptyset(&set); /* none of these can fail for these signals */
        for (size_t i = 0; i < SUPERVISOR_SIGNALS; i++)
                (void)sigaddset(&set, signal_table[i].signo);
        (void)sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* The program that we were before an exec has left them blocked. */
static void watch_signals(struct supervisor *s)
{
        for (size_t i = 0; i < SUPERVISOR_SIGNALS; i++)
                s->signals[i] = loop_signal_new(s->loop, signal_table[i].signo, signal_table[i].fn, s);
        supervisor_block_signals(false);
}

/* --- metrics --- */

/* The page of all, and the first slot of it for ourselves. */
static int make_metrics(struct supervisor *s)
{
        int r = metrics_page_create(&s->metrics, &s->metrics_fd);

        if (r == 0)
                r = metrics_slot_take(s->metrics, "supervisor", getpid());
        if (r < 0) {
                log_error(EV("supervisor.no-metrics"), LF_ERRNO(r));
                return r;
        }
        s->metrics_slot = r;
        return 0;
}

/* A page whose layout we do not know is left to those who count on it, and all counters begin anew. */
static int take_over_metrics(struct supervisor *s, struct handover *h)
{
        if (metrics_page_take((int)h->metrics_fd, &s->metrics) == METRICS_OK) {
                s->metrics_fd = (int)h->metrics_fd;
                s->metrics_slot = (int)h->metrics_slot;
                return 0;
        }
        log_warning(EV("supervisor.metrics-anew"), LF_S("then", "all counters begin at 0"));
        (void)close((int)h->metrics_fd); /* only read from */
        for (size_t i = 0; i < h->n_children; i++)
                h->children[i].metrics_slot = -1;
        return make_metrics(s);
}

/* --- life --- */

static int take_pid_file(struct supervisor *s)
{
        struct errinfo err = ERRINFO_INIT;
        int r = pidfile_take(s->opt->state_dir, &s->pid_fd, &err);

        if (r < 0)
                log_error(EV("supervisor.no-pid-file"), LF_ERR(&err));
        return r;
}

/* What a start and a takeover have in common. */
static int set_up(struct supervisor *s)
{
        int r;

        s->bin_dir = proc_bin_dir(s->opt->bin_dir);
        r = s->bin_dir != NULL ? 0 : -errno;
        if (r == 0)
                r = loop_new(&s->loop);
        if (r < 0) {
                log_error(EV("supervisor.set-up-failed"), LF_ERRNO(r));
                return r;
        }
        s->notify = notify_new(s->loop);
        return 0;
}

/* In this order: who reads the state file may send a signal. */
static void begin_to_obey(struct supervisor *s, unsigned upgrades)
{
        metrics_use(s->metrics, s->metrics_slot);
        watch_signals(s);
        s->upgrade = upgrade_new(s, upgrades);
}

static int start(struct supervisor *s)
{
        int r = take_pid_file(s);

        if (r == 0)
                r = set_up(s);
        if (r == 0)
                r = make_metrics(s);
        if (r < 0)
                return r;
        begin_to_obey(s, 0);
        log_info(EV("supervisor.started"), LF_S("state_dir", s->opt->state_dir), LF_S("bin_dir", s->bin_dir),
                 LF_S("version", ORCH_VERSION), LF_S("commit", ORCH_COMMIT));
        const char *const addresses[CONTRACT_LISTENER_COUNT] = {
#define X(id, name, env) [CONTRACT_LISTENER_##id] = s->opt->listen_##name,
                CONTRACT_LISTENERS(X)
#undef X
        };
        s->listeners = listeners_new(s->loop, addresses, on_listeners, s);
        return 0;
}

static void take_over_suite(struct supervisor *s, const struct handover *h)
{
        const int fds[CONTRACT_LISTENER_COUNT] = {
#define X(id, name, env) [CONTRACT_LISTENER_##id] = (int)h->listen_##name##_fd,
                CONTRACT_LISTENERS(X)
#undef X
        };
        s->listeners = listeners_take_over(s->loop, fds);
        const struct launch_plan plan = make_plan(s);
        const struct suite_events events = events_to(s);

        s->ready = h->ready != 0;
        s->suite = suite_take_over(&plan, s->opt, &events, h);
}

static int take_over(struct supervisor *s, struct handover *h)
{
        struct errinfo err = ERRINFO_INIT;
        int r = handover_take_fds(h, &err);

        if (r < 0) {
                log_error(EV("supervisor.take-over-failed"), LF_ERR(&err));
                return r;
        }
        s->pid_fd = (int)h->pid_fd;
        r = set_up(s);
        if (r == 0)
                r = take_over_metrics(s, h);
        if (r < 0)
                return r;
        take_over_suite(s, h);
        begin_to_obey(s, (unsigned)h->upgrades);
        log_info(EV("supervisor.took-over"), LF_S("bin_dir", s->bin_dir), LF_I("children", h->n_children),
                 LF_S("version", ORCH_VERSION), LF_S("commit", ORCH_COMMIT));
        upgrade_go_on(s->upgrade);
        return 0;
}

int supervisor_new(char *const *argv, const struct options *opt, struct handover *h, struct supervisor **ret)
{
        struct supervisor *s = xcalloc(1, sizeof(*s));
        int r;

        s->argv = argv;
        s->opt = opt;
        s->pid_fd = -1;
        s->metrics_fd = -1;
        r = h != NULL ? take_over(s, h) : start(s);
        if (r < 0) {
                supervisor_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

void supervisor_free(struct supervisor *s)
{
        if (s == NULL)
                return;
        supervisor_block_signals(true); /* a late one would end us by itself, and spoil the exit status */
        upgrade_free(s->upgrade);
        suite_free(s->suite);
        listeners_free(s->listeners);
        notify_free(s->notify);
        for (size_t i = 0; i < SUPERVISOR_SIGNALS; i++)
                loop_signal_free(s->signals[i]);
        closep(&s->metrics_fd);
        loop_free(s->loop);
        pidfile_release(s->pid_fd);
        free(s->bin_dir);
        free(s);
}

int supervisor_run(struct supervisor *s)
{
        int r = loop_run(s->loop);

        return r < 0 ? r : s->result;
}
