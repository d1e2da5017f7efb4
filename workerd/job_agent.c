/*
 * job_agent.c - runs a command under orch-shim: an agent, or the project's own command.
 *
 * The shim owns the process group, the log, the clocks; we talk with it over a link and read its status file
 * when it has ended. It does its duty without us, but freezes what it runs when we have not renewed it for
 * too long.
 */
#include "workerd/job_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/argv.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "queries.h"
#include "workerd/agent_env.h"
#include "workerd/run_status.h"
#include "workerd/shim_link.h"
#include "workerd/task_file.h"

#define SHIM_CONTROL_FD     3
#define SHIM_SLACK_MS       60000 /* beyond its own bounds, for a machine under load */
#define SHIM_LAST_MS        30000
#define STARTED_DEADLINE_MS 60000
#define LOG_EXCERPT_BYTES   4096

static void on_started_recorded(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        job->request = NULL;
        if (res->outcome == DB_OK && db_rows(res) == 1 && !db_bool(res, 0, "held"))
                job_stop(job,
                         JOB_STOP_CANCELLED); /* or fenced: then recording it says so, and changes nothing */
        else if (res->outcome == DB_SQL_ERROR)
                log_warning(EV("job.start-not-recorded"), LF_I("job", job->claim.job), LF_ERR(&res->err),
                            LF_S("then", "the run goes on; its end is recorded"));
}

static void record_started(struct job *job)
{
        char pid[24];
        struct job_fence_text fence = job_fence_params(job);
        (void)snprintf(pid, sizeof(pid), "%ld", (long)job->agent);
        const char *params[] = {fence.job, fence.epoch, job->claim.token, pid, job->dir.log, job->base_sha};
        log_info(EV("job.started"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                 LF_S("work_item", job->claim.work_item), LF_S("role", job->claim.role),
                 LF_I("agent", job->agent), LF_S("log", job->dir.log));
        job->request = db_query(job->host->db, &Q_JOB_STARTED, params, STARTED_DEADLINE_MS,
                                on_started_recorded, job);
}

/* Longer than the shim takes with all of its bounds. */
static void arm_bound(struct job *job)
{
        const struct options *opt = job->host->opt;
        loop_timer_arm(job->timer,
                       opt->agent_timeout_ms + 2 * opt->agent_kill_grace_seconds * 1000 + SHIM_SLACK_MS);
}

/* The shim's clocks stand still with its agent, and so does ours. */
static void on_frozen(struct job *job)
{
        loop_timer_disarm(job->timer);
        log_warning(EV("agent.frozen"), LF_I("job", job->claim.job), LF_I("agent", job->agent),
                    LF_S("reason", "no heartbeat was confirmed for too long"),
                    LF_S("then", "it goes on with the next one that is"));
}

static void on_thawed(struct job *job)
{
        arm_bound(job);
        log_info(EV("agent.thawed"), LF_I("job", job->claim.job), LF_I("agent", job->agent));
}

static void on_state(struct job *job, enum shim_state state)
{
        bool was_frozen = !loop_timer_armed(job->timer);
        if (state == SHIM_FROZEN && !was_frozen)
                on_frozen(job);
        else if (state != SHIM_FROZEN && was_frozen)
                on_thawed(job);
}

static void on_shim_news(void *arg, const struct shim_news *news)
{
        struct job *job = arg;
        switch (news->event) {
        case SHIM_LINKED:
                job->agent = news->agent;
                on_state(job, news->state);
                return;
        case SHIM_CHANGED:
                on_state(job, news->state);
                return;
        case SHIM_STARTED:
                record_started(job);
                return;
        case SHIM_LOCKED_OUT:
                job->locked_out = true;
                return;
        case SHIM_NOBODY:
        case SHIM_GONE:
        case SHIM_GARBAGE: /* its exit tells, or it is found again */
                shim_link_free(take_ptr(job->link));
                return;
        }
}

/* For saying something: found again by its socket, should it have been lost. */
static struct shim_link *link_of(struct job *job)
{
        if (job->link == NULL)
                job->link = shim_link_connect(job->host->loop, job->dir.path, on_shim_news, job);
        return job->link;
}

void job_agent_renew(struct job *job)
{
        shim_link_renew(link_of(job), job->host->renewed_ms);
}

void job_agent_stop(struct job *job)
{
        if (job->stop == JOB_STOP_FENCED)
                shim_link_kill(link_of(job));
        else if (job->stop == JOB_STOP_CANCELLED)
                shim_link_cancel(link_of(job));
        else
                shim_link_shutdown(link_of(job));
}

void job_agent_hangs(struct job *job)
{
        log_error(EV("shim.hangs"), LF_I("job", job->claim.job), LF_I("shim", proc_pid(job->shim)),
                  LF_S("then", job->shim_asked ? "it is killed" : "it is asked to kill its agent"));
        if (job->shim_asked)
                (void)proc_kill(job->shim, SIGKILL, false); /* gone already is as good */
        else
                shim_link_kill(link_of(job));
        job->shim_asked = true;
        loop_timer_arm(job->timer, SHIM_LAST_MS);
}

static void on_ended(struct job *job, const struct run_status *st)
{
        (void)run_status_log_tail(job->dir.log, LOG_EXCERPT_BYTES,
                                  &job->report.log_excerpt); /* none: no excerpt */
        if (st->survivors > 0)
                log_error(EV("agent.survivors"), LF_I("job", job->claim.job),
                          LF_I("processes", st->survivors),
                          LF_S("hint", "they could not be killed; look for processes in state D"));
        if (job->stop >= JOB_STOP_CANCELLED || (st->end == RUN_STOPPED && job->stop != JOB_STOP_NONE)) {
                job_record(job);
        } else if (job->claim.kind == CLAIM_CI) {
                job_ci_ended(job, st);
        } else {
                (void)report_run_end(&job->report, st, job->command);
                job_collect(job);
        }
}

static void on_shim_exit(void *arg, const struct proc_exit *ex)
{
        struct job *job = arg;
        struct run_status st;
        struct errinfo err = ERRINFO_INIT;
        job->shim = NULL;
        db_request_forget(take_ptr(job->request));
        shim_link_free(take_ptr(job->link));
        if (job->locked_out)
                job_conclude(job, REPORT_TRANSIENT,
                             "an earlier run of this job has not ended yet on this host");
        else if (run_status_read(job->dir.status, &st, &err) < 0)
                job_conclude(job, REPORT_TRANSIENT, "orch-shim left no status: it %s", proc_exit_text(ex));
        else
                on_ended(job, &st);
}

static const char *configured_command(const struct options *opt, const char *role)
{
        const struct {
                const char *role, *command;
        } commands[] = {
                {"analyst", opt->agent_command_analyst},     {"architect", opt->agent_command_architect},
                {"developer", opt->agent_command_developer}, {"reviewer", opt->agent_command_reviewer},
                {"tester", opt->agent_command_tester},       {"deployer", opt->agent_command_deployer},
        };
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (strcmp(commands[i].role, role) == 0 && commands[i].command[0] != '\0')
                        return commands[i].command;
        return opt->agent_command;
}

/* What runs: the role's command, or the project's by a shell. 0 or -errno with the reason. */
static int add_command(struct job *job, struct argv *args, struct errinfo *err)
{
        if (job->claim.kind == CLAIM_CI) {
                argv_add(args, "/bin/sh");
                argv_add(args, "-c");
                argv_add(args, job->info.test_command);
                return 0;
        }
        size_t first = args->n;
        int r = argv_split(args, configured_command(job->host->opt, job->claim.role), err);
        if (r == 0)
                job->command = xstrdup(args->words[first]);
        return r;
}

static void shim_args(struct job *job, struct argv *args)
{
        const struct options *opt = job->host->opt;
        int64_t grace_ms = opt->agent_kill_grace_seconds * 1000;
        argv_add(args, job->host->shim);
        const struct {
                const char *name, *value;
        } texts[] = {
                {"--run-dir", job->dir.path},
                {"--lock", job->dir.lock},
                {"--stdin", job->claim.kind == CLAIM_CI ? "/dev/null" : job->dir.task_file},
                {"--cwd", job->dir.tree},
                {"--control", SHIM_LINK_SOCKET},
        };
        const struct {
                const char *name;
                int64_t value;
        } numbers[] = {
                /* an agent of a dead workerd is stopped within the grace; wait for that rather than lose a
                   turn */
                {"--lock-wait-ms", grace_ms + 5000},
                {"--grace-ms", grace_ms},
                {"--wall-ms", opt->agent_timeout_ms},
                {"--start-ms", opt->agent_start_timeout_ms},
                {"--idle-ms", opt->agent_idle_timeout_ms},
                {"--freeze-ms", opt->freeze_after_ms},
                {"--frozen-kill-ms", opt->frozen_kill_after_ms},
                {"--renewed-ms", job->host->renewed_ms},
                {"--log-max", opt->agent_log_max_bytes},
        };
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                argv_add(args, texts[i].name);
                argv_add(args, texts[i].value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                argv_add(args, numbers[i].name);
                argv_addf(args, "%" PRId64, numbers[i].value);
        }
        argv_add(args, "--");
}

static int spawn_shim(struct job *job, const struct argv *args, const struct argv *env, int shim_end,
                      struct errinfo *err)
{
        const struct proc_fd fds[] = {{.from = shim_end, .to = SHIM_CONTROL_FD}};
        const struct proc_spec spec = {
                .argv = (const char *const *)args->words,
                .envp = (const char *const *)env->words,
                .fds = fds,
                .n_fds = ARRAY_SIZE(fds),
        };
        return proc_spawn(job->host->loop, &spec, on_shim_exit, job, &job->shim, err);
}

static int start_shim(struct job *job, const struct argv *args, struct errinfo *err)
{
        int ends[2];
        struct argv env = ARGV_INIT;
        const struct options *opt = job->host->opt;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
                err_set(err, "", "no socket pair for the shim: %s", log_errno_text(errno));
                return -errno;
        }
        agent_env_build(&env, &job->info, &job->dir, opt->agent_path, opt->agent_env);
        int r = spawn_shim(job, args, &env, ends[1], err);
        argv_deinit(&env);
        (void)close(ends[1]);
        if (r < 0) {
                (void)close(ends[0]);
                return r;
        }
        job->link = shim_link_take(job->host->loop, ends[0], on_shim_news, job);
        return 0;
}

void job_run(struct job *job)
{
        struct argv args = ARGV_INIT;
        struct errinfo err = ERRINFO_INIT;
        int r = 0;
        shim_args(job, &args);
        if (add_command(job, &args, &err) < 0) {
                job_conclude(job, REPORT_FAILED, "the command of the %s is not usable: %s", job->claim.role,
                             err.text);
                goto out;
        }
        if (job->claim.kind == CLAIM_AGENT)
                r = task_file_write(job->dir.task_file, &job->info, job->step, &err);
        if (r == 0) {
                job_set_state(job, JOB_RUNNING);
                r = start_shim(job, &args, &err);
        }
        if (r < 0) {
                job_conclude(job, REPORT_TRANSIENT, "the run could not be started: %s", err.text);
                goto out;
        }
        arm_bound(job);
out:
        argv_deinit(&args);
}
