/* supervisor.c - puts the parts together and reacts to signals. */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <limits.h>
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
#include "supervisor/listeners.h"
#include "supervisor/notify.h"
#include "supervisor/pidfile.h"
#include "supervisor/suite.h"

#define SIGNALS 3

struct supervisor {
        char *const *argv;
        const struct options *opt; /* as at the start: what needs a restart has these values to the end */
        char *bin_dir;
        int pid_fd;
        struct loop *loop;
        struct loop_signal *signals[SIGNALS];
        struct metrics_page *metrics;
        int metrics_fd;
        struct notify *notify;
        struct listeners *listeners;
        struct suite *suite; /* NULL until the listeners are open */
        bool ready;
        bool stopping; /* a signal has said so; the next one means: now */
        int result;
};

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

static void on_listeners(void *arg, const struct errinfo *err)
{
        struct supervisor *s = arg;

        if (err != NULL) {
                log_error(EV("supervisor.no-listeners"), LF_ERR(err));
                s->result = -EADDRINUSE;
                loop_stop(s->loop);
                return;
        }
        const struct launch_plan plan = {
                .loop = s->loop,
                .bin_dir = s->bin_dir,
                .args = s->argv + 1,
                .listen_public_fd = listeners_public_fd(s->listeners),
                .listen_status_fd = listeners_status_fd(s->listeners),
                .metrics_fd = s->metrics_fd,
                .metrics = s->metrics,
        };
        const struct suite_events events = {on_ready, on_status, on_stopped, s};

        s->suite = suite_new(&plan, s->opt, &events);
        suite_start(s->suite);
}

/* --- signals --- */

static void begin_to_stop(struct supervisor *s, int signo)
{
        log_info(EV("supervisor.stopping"), LF_I("signal", signo));
        notify_stopping(s->notify);
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

        (void)signo; /* only one comes here */
        if (s->stopping)
                return;
        if (s->ready)
                notify_reloading(s->notify);
        if (options_reload(s->opt, &next, &err) == 0)
                apply_reload(s, next);
        else
                log_error(EV("supervisor.reload-refused"), LF_ERR(&err),
                          LF_S("effect", "the old configuration stays"));
        options_free(next);
        if (s->ready)
                notify_ready(s->notify);
}

static const struct {
        int signo;
        loop_signal_fn *fn;
} signal_table[SIGNALS] = {
        {SIGTERM, on_stop_signal},  /* drain; a second one is quick */
        {SIGINT, on_stop_signal},   /* the same, from a terminal */
        {SIGHUP, on_reload_signal}, /* read the configuration again */
};

/* --- life --- */

/* Option bin_dir, else the folder this program is in. */
static int find_bin_dir(const char *configured, char **ret)
{
        char path[PATH_MAX];
        ssize_t n;

        if (configured[0] != '\0') {
                *ret = xstrdup(configured);
                return 0;
        }
        n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        if (n < 0)
                return -errno;
        path[n] = '\0';
        *strrchr(path, '/') = '\0'; /* the kernel gives an absolute path */
        *ret = xstrdup(path);
        return 0;
}

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
        metrics_use(s->metrics, r);
        return 0;
}

static void watch_signals(struct supervisor *s)
{
        for (size_t i = 0; i < SIGNALS; i++)
                s->signals[i] = loop_signal_new(s->loop, signal_table[i].signo, signal_table[i].fn, s);
}

static int set_up(struct supervisor *s)
{
        struct errinfo err = ERRINFO_INIT;
        int r = pidfile_take(s->opt->state_dir, &s->pid_fd, &err);

        if (r < 0) {
                log_error(EV("supervisor.no-pid-file"), LF_ERR(&err));
                return r;
        }
        r = find_bin_dir(s->opt->bin_dir, &s->bin_dir);
        if (r == 0)
                r = loop_new(&s->loop);
        if (r < 0) {
                log_error(EV("supervisor.set-up-failed"), LF_ERRNO(r));
                return r;
        }
        watch_signals(s);
        s->notify = notify_new(s->loop);
        return make_metrics(s);
}

int supervisor_new(char *const *argv, const struct options *opt, struct supervisor **ret)
{
        struct supervisor *s = xcalloc(1, sizeof(*s));
        int r;

        s->argv = argv;
        s->opt = opt;
        s->pid_fd = -1;
        s->metrics_fd = -1;
        r = set_up(s);
        if (r < 0) {
                supervisor_free(s);
                return r;
        }
        *ret = s;
        return 0;
}

/* Nothing is left to stop: without its handler a late signal would end us by itself, and spoil the exit
 * status. */
static void block_signals(void)
{
        sigset_t set;

        (void)sigemptyset(&set); /* none of these can fail for these signals */
        for (size_t i = 0; i < SIGNALS; i++)
                (void)sigaddset(&set, signal_table[i].signo);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

void supervisor_free(struct supervisor *s)
{
        if (s == NULL)
                return;
        block_signals();
        suite_free(s->suite);
        listeners_free(s->listeners);
        notify_free(s->notify);
        for (size_t i = 0; i < SIGNALS; i++)
                loop_signal_free(s->signals[i]);
        closep(&s->metrics_fd);
        loop_free(s->loop);
        pidfile_release(s->pid_fd);
        free(s->bin_dir);
        free(s);
}

int supervisor_run(struct supervisor *s)
{
        int r;

        log_info(EV("supervisor.started"), LF_S("state_dir", s->opt->state_dir), LF_S("bin_dir", s->bin_dir));
        s->listeners = listeners_new(s->loop, s->opt->listen_public, s->opt->listen_status, on_listeners, s);
        r = loop_run(s->loop);
        return r < 0 ? r : s->result;
}
