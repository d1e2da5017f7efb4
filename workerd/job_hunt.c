/*
 * job_hunt.c - a shim was killed: what its agent has started may live on, and act.
 *
 * The agent itself died with the shim, its children need not (shim/strays.h). On this host the next shim of
 * the job kills them first; on another one nobody would. So nothing is recorded, and the job runs nowhere,
 * before orch-shim --clean has proved that nothing is left. What cannot be killed keeps the job: it is tried
 * again and said, until the reaper takes the job back by force.
 */
#include "workerd/job_internal.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/proc.h"

#define LOCK_WAIT_MS "2000" /* for a look into the lock (run_dir_is_locked()) that is under way */

static void hunt_later(struct job *job, const char *error)
{
        int64_t wait_ms = backoff_next_ms(&job->backoff, backoff_random());
        if (job->stop == JOB_STOP_LEAVE) { /* then it is the reaper's, which does the same */
                job_let_go(job);
                return;
        }
        log_error(EV("shim.leftovers"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                  LF_S("error", error), LF_I("wait_ms", wait_ms),
                  LF_S("then", "tried again; the job runs nowhere before"));
        loop_timer_arm(job->timer, wait_ms);
}

static void on_hunted(void *arg, const struct proc_exit *ex)
{
        struct job *job = arg;
        job->hunter = NULL;
        if (ex->signaled || ex->code != 0)
                hunt_later(job, proc_exit_text(ex));
        else
                job_record(job);
}

void job_hunt(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        const char *const argv[] = {job->host->shim,  "--clean",    "--lock", job->dir.lock,
                                    "--lock-wait-ms", LOCK_WAIT_MS, NULL};
        const struct proc_spec spec = {.argv = argv, .cwd = "/"};
        if (job->state != JOB_HUNTING) {
                job_set_state(job, JOB_HUNTING);
                job->backoff.attempts = 0;
        }
        if (proc_spawn(job->host->loop, &spec, on_hunted, job, &job->hunter, &err) < 0)
                hunt_later(job, err.text);
}
