/* watch.c - see watch.h. */
#include "shim/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "shim/agent.h"
#include "shim/cascade.h"
#include "shim/control.h"
#include "shim/freeze.h"
#include "shim/line_start.h"
#include "shim/lock.h"
#include "shim/log.h"
#include "shim/reap.h"
#include "shim/status.h"

#define READS_PER_TURN 16 /* of the output, before signals and words get their turn */
#define READS_AT_END                                                                                         \
        1024 /* more than a pipe holds; bounded, because what cannot be killed may go on writing */

struct watch {
        const struct args *args;
        int dir_fd; /* the run folder */
        int signal_fd;
        int output_fd; /* our end of the agent's output; -1 after EOF */
        struct control *control;
        struct freeze freeze;
        struct log log;
        struct line_start line; /* of the output: is it the agent's result? */
        struct cascade cascade;
        struct reap reap;
        struct status status;
        int64_t renewed_ms;        /* the newest renewal before the start */
        enum control_word pending; /* what else was said before the start */
        bool reported;             /* log and status are on disk */
        int result;                /* of writing the status */
};

/* Time that also passes while the machine sleeps: a run's hour is an hour of the wall. */
static int64_t now_ms(clockid_t clock)
{
        struct timespec ts;
        (void)clock_gettime(clock, &ts); /* cannot fail for the clocks we name */
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int open_signals(struct watch *w)
{
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return w->signal_fd < 0 ? -errno : 0;
}

/* After it, what escapes from its parents comes to us. */
static int prepare(struct watch *w)
{
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return -errno;
        w->dir_fd = open(w->args->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w->dir_fd < 0)
                return -errno;
        int r = open_signals(w);
        if (r == 0)
                r = log_open(&w->log, w->dir_fd, w->args->log_max);
        if (r == 0 && w->args->control != NULL)
                r = control_listen(w->control, w->dir_fd, w->args->control);
        if (r == 0)
                freeze_open(&w->freeze, w->args->run_dir);
        return r;
}

static int start(struct watch *w)
{
        int output[2];
        if (pipe2(output, O_CLOEXEC) < 0)
                return -errno;
        int r = agent_start(w->args, &w->freeze, output[1], &w->reap.leader);
        (void)close(output[1]);
        w->output_fd = output[0];
        if (r == 0 && fcntl(w->output_fd, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        return r;
}

/* False: there is no more for now. */
static bool read_output(struct watch *w)
{
        static char buf[32768];
        ssize_t n = read(w->output_fd, buf, sizeof(buf));
        if (n > 0) {
                cascade_output(&w->cascade, now_ms(CLOCK_BOOTTIME));
                if (line_start_seen(&w->line, buf, (size_t)n))
                        cascade_result(&w->cascade, now_ms(CLOCK_BOOTTIME));
                if (!w->reported)
                        log_append(&w->log, buf, (size_t)n);
                return true;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                (void)close(w->output_fd);
                w->output_fd = -1;
        }
        return false;
}

static void drain_output(struct watch *w, int reads)
{
        while (reads-- > 0 && w->output_fd >= 0 && read_output(w))
                ;
}

static void report(struct watch *w)
{
        drain_output(w, READS_AT_END);
        log_finish(&w->log);
        w->status.ended = w->reap.leader_gone;
        w->status.wait_status = w->reap.leader_status;
        w->status.log_bytes = w->log.total;
        w->status.ended_ms = now_ms(CLOCK_REALTIME);
        w->status.cause = w->cascade.cause;
        w->result = status_write(w->dir_fd, &w->status);
        w->reported = true;
        if (w->result == 0)
                control_say(w->control, "ended");
}

static void act(struct watch *w, enum cascade_action action)
{
        switch (action) {
        case CASCADE_DO_NOTHING:
                break;
        case CASCADE_DO_FREEZE:
                freeze_stop(&w->freeze, w->reap.leader);
                break;
        case CASCADE_DO_THAW:
                freeze_go_on(&w->freeze, w->reap.leader);
                break;
        case CASCADE_DO_TERM:
                reap_term(&w->reap);
                break;
        case CASCADE_DO_TERM_THAW:
                reap_term(&w->reap);
                freeze_go_on(&w->freeze, w->reap.leader);
                break;
        case CASCADE_DO_KILL:
                w->status.survivors = reap_kill(&w->reap);
                break;
        case CASCADE_DO_REPORT:
                if (w->cascade.state == CASCADE_GONE)
                        w->status.survivors = 0;
                report(w);
                break;
        }
}

/* Acts first: what is said is true. */
static void act_and_tell(struct watch *w, enum cascade_state before, enum cascade_action action)
{
        enum cascade_state now = w->cascade.state;
        act(w, action);
        if (before != CASCADE_FROZEN && now == CASCADE_FROZEN)
                control_say(w->control, "frozen");
        else if (before == CASCADE_FROZEN && now == CASCADE_RUNNING)
                control_say(w->control, "thawed");
}

static void feed(struct watch *w, enum cascade_event ev, enum cascade_cause cause)
{
        enum cascade_state before = w->cascade.state;
        act_and_tell(w, before, cascade_on(&w->cascade, ev, cause, now_ms(CLOCK_BOOTTIME)));
}

/* A deploy may leave production running. It counts as gone: we leave, and it is nobody's but the system's. */
static bool is_spared(const struct watch *w)
{
        return w->args->spare_rest && w->cascade.state == CASCADE_RUNNING;
}

static void on_children(struct watch *w)
{
        switch (reap_collect(&w->reap)) {
        case REAP_NOTHING:
                break;
        case REAP_SOME:
                feed(w, CASCADE_EV_CHILD, CASCADE_CAUSE_NONE);
                break;
        case REAP_LEADER:
                feed(w, is_spared(w) ? CASCADE_EV_NONE : CASCADE_EV_LEADER, CASCADE_CAUSE_NONE);
                break;
        case REAP_NONE_LEFT:
                feed(w, CASCADE_EV_NONE, CASCADE_CAUSE_NONE);
                break;
        }
}

static void on_signals(struct watch *w)
{
        struct signalfd_siginfo si;
        while (read(w->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
                if (si.ssi_signo == SIGCHLD)
                        on_children(w); /* one signal may stand for many children */
                else
                        feed(w, CASCADE_EV_STOP, CASCADE_CAUSE_SIGNAL);
        }
}

static void hello(struct watch *w)
{
        control_say(w->control, "hello %s %d", cascade_state_name(w->cascade.state), (int)w->reap.leader);
}

/* A renewal that cannot be is no worse than none. */
static void renew(struct watch *w, int64_t sent_ms)
{
        enum cascade_state before = w->cascade.state;
        enum cascade_action action;
        if (cascade_renew(&w->cascade, sent_ms, now_ms(CLOCK_BOOTTIME), &action) == 0)
                act_and_tell(w, before, action);
}

static void obey(struct watch *w, enum control_word word, int64_t sent_ms)
{
        switch (word) {
        case CONTROL_NOTHING:
                break;
        case CONTROL_RENEW:
                renew(w, sent_ms);
                break;
        case CONTROL_CANCEL:
                feed(w, CASCADE_EV_STOP, CASCADE_CAUSE_CANCELLED);
                break;
        case CONTROL_SHUTDOWN:
                feed(w, CASCADE_EV_STOP, CASCADE_CAUSE_SHUTDOWN);
                break;
        case CONTROL_KILL:
                feed(w, CASCADE_EV_KILL, CASCADE_CAUSE_KILLED);
                break;
        }
}

static void on_peer(struct watch *w)
{
        enum control_word word;
        int64_t sent_ms = 0;
        control_read(w->control);
        while ((word = control_next(w->control, &sent_ms)) != CONTROL_NOTHING)
                obey(w, word, sent_ms);
}

static void on_connection(struct watch *w)
{
        int r = control_accept(w->control);
        if (r > 0)
                hello(w);
        else if (r < 0)
                (void)fprintf(stderr, "orch-shim: nobody can connect any more: %s\n", strerror(-r));
}

static int poll_timeout(const struct watch *w)
{
        int64_t deadline_ms = cascade_deadline(&w->cascade);
        if (deadline_ms == CASCADE_NEVER)
                return -1;
        int64_t left = deadline_ms - now_ms(CLOCK_BOOTTIME);
        return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* The clocks come last: what has been written or said in time counts, also when we were held up. */
static int turn(struct watch *w)
{
        struct pollfd fds[] = {{.fd = w->signal_fd, .events = POLLIN},
                               {.fd = w->control->peer_fd, .events = POLLIN},
                               {.fd = w->control->listen_fd, .events = POLLIN},
                               {.fd = w->output_fd, .events = POLLIN}};
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), poll_timeout(w)) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[3].revents != 0)
                drain_output(w, READS_PER_TURN);
        if (fds[1].revents != 0)
                on_peer(w);
        if (fds[2].revents != 0)
                on_connection(w);
        if (fds[0].revents != 0)
                on_signals(w);
        enum cascade_state before = w->cascade.state;
        act_and_tell(w, before, cascade_tick(&w->cascade, now_ms(CLOCK_BOOTTIME)));
        return 0;
}

static bool peer_has_more(const struct watch *w)
{
        struct pollfd peer = {.fd = w->control->peer_fd, .events = POLLIN};
        return w->control->peer_fd >= 0 && poll(&peer, 1, 0) == 1;
}

/* What our starter has said while we waited for the lock, and killed what another had left. A wish is kept
 * for when there is somebody to stop. */
static void hear_before_start(struct watch *w)
{
        enum control_word word;
        int64_t sent_ms = 0;
        while (w->pending == CONTROL_NOTHING && peer_has_more(w)) {
                control_read(w->control);
                while ((word = control_next(w->control, &sent_ms)) == CONTROL_RENEW)
                        w->renewed_ms = sent_ms > w->renewed_ms ? sent_ms : w->renewed_ms;
                w->pending = word;
        }
}

/* An agent whose claim was confirmed too long ago may not act, not for a moment either. */
static bool is_stale(const struct watch *w, int64_t now)
{
        int64_t freeze_ms = w->args->limits.freeze_ms;
        return freeze_ms > 0 && w->renewed_ms > 0 && now - w->renewed_ms >= freeze_ms;
}

static void begin(struct watch *w)
{
        int64_t now = now_ms(CLOCK_BOOTTIME);
        cascade_init(&w->cascade, &w->args->limits, now, w->renewed_ms > 0 ? w->renewed_ms : now);
        hello(w);
        control_say(w->control, "started %d", (int)w->reap.leader);
        obey(w, w->pending, 0);
}

static int watch_until_gone(struct watch *w)
{
        begin(w);
        while (w->cascade.state != CASCADE_GONE) {
                int r = turn(w);
                if (r < 0)
                        return r;
        }
        return w->result;
}

static void not_started(struct watch *w, int error)
{
        w->status.start_error = error;
        w->cascade.state = CASCADE_GONE;
        hello(w);
        report(w);
}

/* Nothing of the agent is left. */
static void clear(struct watch *w, struct lock *lock)
{
        freeze_close(&w->freeze, w->args->run_dir);
        control_end(w->control);
        lock_clear(lock);
}

int watch_run(const struct args *args, struct lock *lock, struct control *control)
{
        struct watch w = {.args = args,
                          .dir_fd = -1,
                          .signal_fd = -1,
                          .output_fd = -1,
                          .control = control,
                          .renewed_ms = args->renewed_ms,
                          .line = {.prefix = args->result_prefix},
                          .freeze = FREEZE_INIT};
        hear_before_start(&w);
        if (is_stale(&w, now_ms(CLOCK_BOOTTIME)))
                return -ESTALE;
        int r = prepare(&w);
        if (r == 0)
                r = lock_mark(lock, args->run_dir);
        if (r < 0)
                return r;
        w.status.started_ms = now_ms(CLOCK_REALTIME);
        r = start(&w);
        if (r < 0)
                not_started(&w, -r);
        r = r < 0 ? w.result : watch_until_gone(&w);
        if (w.cascade.state == CASCADE_GONE)
                clear(&w, lock);
        return r;
}
