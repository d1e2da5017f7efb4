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
#include "shim/lock.h"
#include "shim/log.h"
#include "shim/reap.h"
#include "shim/status.h"

#define READS_PER_TURN 16 /* of the output, before signals and commands get their turn */
#define READS_AT_END                                                                                         \
        1024 /* more than a pipe holds; bounded, because what cannot be killed may go on writing */

struct watch {
        const struct args *args;
        int dir_fd; /* the run folder */
        int signal_fd;
        int output_fd;  /* our end of the agent's output; -1 after EOF */
        int control_fd; /* -1: none, or workerd has gone */
        struct log log;
        struct cascade cascade;
        struct reap reap;
        struct status status;
        bool reported; /* log and status are on disk */
        int result;    /* of writing the status */
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
        return r < 0 ? r : log_open(&w->log, w->dir_fd, w->args->log_max);
}

static int start(struct watch *w)
{
        int output[2];
        if (pipe2(output, O_CLOEXEC) < 0)
                return -errno;
        int r = agent_start(w->args, output[1], &w->reap.leader);
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
                control_say(w->control_fd, "ended\n");
}

static void feed(struct watch *w, enum cascade_event ev, enum cascade_cause cause)
{
        switch (cascade_on(&w->cascade, ev, cause, now_ms(CLOCK_BOOTTIME))) {
        case CASCADE_DO_NOTHING:
                break;
        case CASCADE_DO_TERM:
                reap_term(&w->reap);
                break;
        case CASCADE_DO_KILL:
                w->status.survivors = reap_kill(&w->reap);
                break;
        case CASCADE_DO_REPORT:
                if (ev == CASCADE_EV_NONE)
                        w->status.survivors = 0;
                report(w);
                break;
        }
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
                feed(w, CASCADE_EV_LEADER, CASCADE_CAUSE_NONE);
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

static void on_control(struct watch *w)
{
        int eof = 0;
        enum cascade_cause cause = control_read(w->control_fd, &eof);
        if (eof) {
                (void)close(w->control_fd);
                w->control_fd = -1;
        }
        if (cause != CASCADE_CAUSE_NONE)
                feed(w, CASCADE_EV_STOP, cause);
}

static int poll_timeout(const struct watch *w)
{
        if (w->cascade.deadline_ms == CASCADE_NEVER)
                return -1;
        int64_t left = w->cascade.deadline_ms - now_ms(CLOCK_BOOTTIME);
        return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static int turn(struct watch *w)
{
        struct pollfd fds[] = {{.fd = w->signal_fd, .events = POLLIN},
                               {.fd = w->control_fd, .events = POLLIN},
                               {.fd = w->output_fd, .events = POLLIN}};
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), poll_timeout(w)) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[2].revents != 0)
                drain_output(w, READS_PER_TURN);
        if (fds[1].revents != 0)
                on_control(w);
        if (fds[0].revents != 0)
                on_signals(w);
        if (now_ms(CLOCK_BOOTTIME) >= w->cascade.deadline_ms)
                feed(w, CASCADE_EV_TIMER, CASCADE_CAUSE_NONE);
        return 0;
}

static int watch_until_gone(struct watch *w)
{
        char line[32];
        (void)snprintf(line, sizeof(line), "started %d\n", (int)w->reap.leader); /* a pid always fits */
        control_say(w->control_fd, line);
        cascade_init(&w->cascade, now_ms(CLOCK_BOOTTIME), w->args->wall_ms, w->args->grace_ms);
        while (w->cascade.state != CASCADE_GONE) {
                int r = turn(w);
                if (r < 0)
                        return r;
        }
        return w->result;
}

int watch_run(const struct args *args, struct lock *lock, int control_fd)
{
        struct watch w = {
                .args = args, .dir_fd = -1, .signal_fd = -1, .output_fd = -1, .control_fd = control_fd};
        int r = prepare(&w);
        if (r == 0)
                r = lock_mark(lock, args->run_dir);
        if (r < 0)
                return r;
        w.status.started_ms = now_ms(CLOCK_REALTIME);
        r = start(&w);
        if (r == 0) {
                r = watch_until_gone(&w);
        } else {
                w.status.start_error = -r;
                w.cascade.state = CASCADE_GONE;
                report(&w);
                r = w.result;
        }
        if (w.cascade.state == CASCADE_GONE)
                lock_clear(lock);
        return r;
}
