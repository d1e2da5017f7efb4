/*
 * job_start.c - starts a command under orch-shim: an agent, or the project's own command.
 *
 * The run is announced first: from then on the database takes it for one that may have a shim, and so nobody
 * runs the job again before a worker of this host has looked (adoption.c). The announcement is also the
 * promise of how long the shim may let its agent act when the claim is taken back, and the question whether
 * the claim is still ours: from the moment it was asked the shim counts.
 */
#include "workerd/job_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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
#include "workerd/evict.h"
#include "workerd/shim_link.h"
#include "workerd/task_file.h"

#define SHIM_CONTROL_FD      3
#define ANNOUNCE_DEADLINE_MS 10000

const char *job_agent_command(const struct job *job)
{
        return adapter_command(job->host->opt, job->claim.role);
}

/* What runs: the role's command, or the project's by a shell. 0 or -errno with the reason. */
static int add_command(struct job *job, struct argv *args, struct errinfo *err)
{
        const char *command = claim_shell_command(&job->claim);
        if (command != NULL) {
                argv_add(args, "/bin/sh");
                argv_add(args, "-c");
                argv_add(args, command);
                return 0;
        }
        const struct adapter_session session = {job->session[0] != '\0' ? job->session : NULL,
                                                job->resumes[0] != '\0' ? job->resumes : NULL};
        return adapter_words(job->adapter, job->host->opt, job->claim.role, &job->dir, &session, args, err);
}

/* Who goes on with a session is not told again what it was told before. */
static const char *stdin_of(const struct job *job)
{
        if (job->claim.kind != CLAIM_AGENT)
                return "/dev/null";
        return job->resumes[0] != '\0' ? job->continue_file : job->dir.task_file;
}

static void shim_args(struct job *job, struct argv *args)
{
        const struct options *opt = job->host->opt;
        int64_t grace_ms = opt->agent_kill_grace_seconds * 1000;
        const char *result_prefix =
                job->claim.kind == CLAIM_AGENT ? adapter_result_prefix(job->adapter) : NULL;
        argv_add(args, job->host->shim);
        const struct {
                const char *name, *value;
        } texts[] = {
                {"--run-dir", job->dir.path}, {"--lock", job->dir.lock},       {"--stdin", stdin_of(job)},
                {"--cwd", job->dir.tree},     {"--control", SHIM_LINK_SOCKET},
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
                {"--freeze-ms", job->freeze_ms},
                {"--frozen-kill-ms", opt->frozen_kill_after_ms},
                {"--renewed-ms", job->confirmed_ms},
                {"--log-max", opt->agent_log_max_bytes},
                {"--max-processes", opt->agent_max_processes},
                {"--max-cpu-s", (opt->agent_max_cpu_ms + 999) / 1000},
                {"--max-memory", opt->agent_max_memory_bytes},
                {"--max-file", opt->agent_max_file_bytes},
                {"--max-open-files", opt->agent_max_open_files},
        };
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                argv_add(args, texts[i].name);
                argv_add(args, texts[i].value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                argv_add(args, numbers[i].name);
                argv_addf(args, "%" PRId64, numbers[i].value);
        }
        if (result_prefix != NULL) {
                argv_add(args, "--result-prefix");
                argv_add(args, result_prefix);
                argv_addf(args, "--after-result-ms=%" PRId64, opt->agent_after_result_ms);
        }
        argv_add(args, "--");
}

static void on_shim_exit(void *arg, const struct proc_exit *ex)
{
        struct job *job = arg;
        job->shim = NULL;
        job_agent_ended(job, proc_exit_text(ex));
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
        if (job->claim.kind == CLAIM_AGENT)
                adapter_env(job->adapter, &env);
        int r = spawn_shim(job, args, &env, ends[1], err);
        argv_deinit(&env);
        (void)close(ends[1]);
        if (r < 0) {
                (void)close(ends[0]);
                return r;
        }
        job_agent_link(job, ends[0]);
        return 0;
}

static int write_tasks(struct job *job, struct errinfo *err)
{
        int r = task_file_write(job->dir.task_file, &job->info, job->step, err);
        if (r == 0 && job->resumes[0] != '\0')
                r = task_file_write_continued(job->continue_file, job->dir.task_file, &job->info, err);
        return r;
}

static void launch(struct job *job)
{
        struct argv args = ARGV_INIT;
        struct errinfo err = ERRINFO_INIT;
        int r = 0;
        job_promise_make(job);
        shim_args(job, &args);
        if (add_command(job, &args, &err) < 0) {
                job_conclude(job, REPORT_FAILED, "the command of the %s is not usable: %s", job->claim.role,
                             err.text);
                goto out;
        }
        if (run_dir_is_locked(&job->dir) != 0)
                job->evict =
                        evict_others(job->host->loop, job->host->state_dir, job->claim.job, job->claim.epoch);
        if (job->claim.kind == CLAIM_AGENT)
                r = write_tasks(job, &err);
        if (r == 0) {
                job_set_state(job, JOB_RUNNING);
                job_follow_begin(job);
                r = start_shim(job, &args, &err);
        }
        if (r < 0)
                job_conclude(job, REPORT_TRANSIENT, "the run could not be started: %s", err.text);
out:
        argv_deinit(&args);
}

/* Before the agent acts for the first time: an answer that we were held up to read may be over long ago, and
 * a claim is only as good as the newest beat. The shim looks again, when it has the lock. */
static bool is_confirmed(const struct job *job)
{
        return loop_now_ms(job->host->loop) - job->confirmed_ms < job->host->opt->freeze_after_ms;
}

static void ask_again(struct job *job, const char *error)
{
        int64_t wait_ms = backoff_next_ms(&job->backoff, backoff_random());
        log_warning(EV("job.start-not-recorded"), LF_I("job", job->claim.job), LF_S("error", error),
                    LF_I("wait_ms", wait_ms), LF_S("then", "tried again; nothing runs before"));
        loop_timer_arm(job->timer, wait_ms);
}

static void on_announced(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        job->request = NULL;
        if (res->outcome != DB_OK || db_rows(res) != 1) {
                ask_again(job, res->err.text);
                return;
        }
        if (!db_bool(res, 0, "held")) {
                job_stop(job, JOB_STOP_CANCELLED); /* or fenced: then recording it says so */
                return;
        }
        job->launched = true;
        job_confirmed(job, job->asked_ms);
        if (!is_confirmed(job)) {
                ask_again(job, "the newest heartbeat that was confirmed is too old");
                return;
        }
        job->backoff.attempts = 0;
        launch(job);
}

/* Before anything is announced: a command that cannot be understood is nobody's run. */
static bool choose_adapter(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        if (job->claim.kind != CLAIM_AGENT)
                return true;
        if (adapter_find(job->host->opt, job->claim.role, &job->adapter, &err) < 0) {
                job_conclude(job, REPORT_FAILED, "the command of the %s is not usable: %s", job->claim.role,
                             err.text);
                return false;
        }
        job_session(job);
        return true;
}

void job_start(struct job *job)
{
        if (!choose_adapter(job))
                return;
        struct job_fence_text fence = job_fence_params(job);
        char takeover[24];
        (void)snprintf(takeover, sizeof(takeover), "%" PRId64, job->host->opt->takeover_after_ms);
        const char *params[] = {fence.job,
                                fence.epoch,
                                job->claim.token,
                                NULL,
                                job->dir.log,
                                job->base_sha,
                                takeover,
                                job->session[0] != '\0' ? job->session : NULL,
                                job->resumes[0] != '\0' ? job->resumes : NULL};
        job->asked_ms = loop_now_ms(job->host->loop);
        if (job->state != JOB_STARTING)
                job_set_state(job, JOB_STARTING);
        job->request =
                db_query(job->host->db, &Q_JOB_STARTED, params, ANNOUNCE_DEADLINE_MS, on_announced, job);
}
