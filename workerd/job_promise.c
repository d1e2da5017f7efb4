/*
 * job_promise.c - sees to it that nobody acts under a claim that was confirmed too long ago.
 *
 * Freezing the agent then is its shim's duty, and the shim needs nobody for it, unless it is itself stopped.
 * So once freeze_after has passed without a confirmation the shim has to say that its agent stands still; the
 * one that does not, within a bound that ends well before others begin (options_freeze_doubt_ms()), is killed
 * with its agent. The run is lost by that, and no more: what a killed shim has left is hunted down as ever.
 *
 * A worker that was stopped itself gives the shim the whole bound when it goes on, because the shim may have
 * been stopped with it: a machine that stood still shall not lose its runs.
 */
#include "workerd/job_internal.h"

#include <signal.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/options.h"
#include "common/proc.h"
#include "workerd/shim_link.h"

#define KILL_AGAIN_MS 1000

void job_promise_make(struct job *job)
{
        job->freeze_ms = job->host->opt->freeze_after_ms;
        job->doubt_ms = options_freeze_doubt_ms(job->host->opt);
        job->at_rest = false; /* what an earlier shim has said */
}

static int64_t silence_ms(const struct job *job)
{
        return loop_now_ms(job->host->loop) - job->confirmed_ms;
}

/* Each confirmation is looked at when it is over, not when it comes: a timer that is armed is left as it is.
 */
void job_promise_confirmed(struct job *job)
{
        int64_t left_ms = job->freeze_ms - silence_ms(job);
        if (!loop_timer_armed(job->promise_timer))
                loop_timer_arm(job->promise_timer, left_ms > 0 ? left_ms : 0);
}

/* Our own child by its descriptor, another's by what the kernel has told of it. The pid; 0: not known. */
static pid_t signal_shim(struct job *job, int signo)
{
        unsigned long long start = 0;
        pid_t pid = job->link != NULL ? shim_link_peer(job->link, &start) : 0;
        if (job->shim != NULL)
                return proc_kill(job->shim, signo, false) == 0 ? proc_pid(job->shim) : 0;
        return pid > 0 && proc_signal_known(pid, start, signo) == 0 ? pid : 0;
}

void job_shim_kill(struct job *job)
{
        pid_t pid = signal_shim(job, SIGSTOP); /* then it cannot wait for any of its children */
        if (pid == 0)
                return;
        (void)proc_kill_children(pid); /* what it does not find dies with the shim, or is hunted down */
        (void)signal_shim(job, SIGKILL);
}

static void kill_silent(struct job *job)
{
        log_error(EV("shim.silent"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                  LF_I("shim", signal_shim(job, 0)), LF_I("silent_ms", silence_ms(job)),
                  LF_S("reason",
                       "it does not say that its agent stands still, and others may run the job soon"),
                  LF_S("then", "it is killed, and its agent with it"));
        job_shim_kill(job);
}

void job_promise_over(void *arg)
{
        struct job *job = arg;
        int64_t next_ms = KILL_AGAIN_MS;
        if (job->state == JOB_NEW) { /* may be adopted */
                loop_timer_arm(job->promise_timer, next_ms);
                return;
        }
        if (job->state != JOB_RUNNING && job->state != JOB_ATTACHING)
                return; /* there is no shim; the next confirmation arms it again */
        if (silence_ms(job) < job->freeze_ms) {
                job->doubted_ms = 0;
                next_ms = job->freeze_ms - silence_ms(job);
        } else if (job->doubted_ms != job->confirmed_ms) {
                job->doubted_ms = job->confirmed_ms;
                next_ms = job->doubt_ms;
                job_agent_connect(job); /* to hear how things stand, should the link have been lost */
        } else if (!job->at_rest) {
                kill_silent(job);
        }
        loop_timer_arm(job->promise_timer, next_ms);
}
