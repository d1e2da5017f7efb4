/*
 * job_finalize.c - role finalizer: phase C of a deploy (M-3), on the host that started it. Waits for the
 * shim's status, or finds out without one; writes 14-deploy-log.md, which is committed, judged and pushed
 * like a verdict of an agent.
 *
 * It may be stopped and begun again at any step: it starts nothing, and what it finds stays as it is. A
 * command whose shim was killed has left no exit code: what is left of it is killed, and production is asked
 * what it runs; without an answer the outcome is UNKNOWN, and a person decides.
 */
#include "workerd/job_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "queries.h"
#include "workerd/deploy_shim.h"
#include "workerd/doc_file.h"
#include "workerd/run_status.h"
#include "workerd/shell_command.h"
#include "workerd/verdict.h"

#define LOOK_MS       250
#define LOCK_WAIT_MS  "2000"
#define EXCERPT_BYTES 4096
#define DEPLOY_LOG    "14-deploy-log.md"
#define SHOWN_SHA_MAX 64

/* ---- what came of it ---- */

/* UNKNOWN is written down as well, and is no verdict (P-4): only a person ends it. */
static void found(struct job *job, const char *status, int exit_code, const char *reason)
{
        report_deploy(&job->report, status, exit_code, reason);
        log_info(EV("deploy.ended"), LF_I("job", job->claim.job), LF_S("work_item", job->claim.work_item),
                 LF_S("status", status), LF_S("reason", reason));
        job_prepare(job);
}

bool job_finalize_unknown(const struct job *job)
{
        return job->claim.kind == CLAIM_FINALIZE && job->report.deploy_status != NULL &&
               strcmp(job->report.deploy_status, "UNKNOWN") == 0;
}

static void by_status(struct job *job)
{
        struct run_status st;
        struct errinfo err = ERRINFO_INIT;
        _cleanup_(freep) char *how = NULL;
        if (run_status_read(job->deploy.status, &st, &err) < 0) {
                found(job, "UNKNOWN", -1, err.text);
                return;
        }
        (void)run_status_log_tail(job->deploy.log, EXCERPT_BYTES,
                                  &job->report.log_excerpt); /* none: no excerpt */
        job->report.exit_code = st.code;
        job->report.signo = st.signo;
        switch (st.end) {
        case RUN_EXITED:
                how = xasprintf("the deploy command exited with %d", st.code);
                break;
        case RUN_SIGNALED:
                how = xasprintf("the deploy command was killed by signal %d (%s)", st.signo,
                                strsignal(st.signo));
                break;
        case RUN_TIMEOUT:
                how = xstrdup("the deploy command ran for longer than deploy_timeout and was stopped");
                break;
        case RUN_STOPPED:
                how = xasprintf("the deploy command was stopped from outside (%s)", st.stop_reason);
                break;
        case RUN_START_FAILED:
                how = xasprintf("the deploy command could not be started: %s", st.error);
                break;
        }
        found(job, st.end == RUN_EXITED && st.code == 0 ? "SUCCESS" : "FAILED", st.code, how);
}

/* ---- no exit code ---- */

static bool is_sha(const char *text, size_t len, const char *sha)
{
        while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' ' || text[len - 1] == '\r'))
                len--;
        return len == strlen(sha) && memcmp(text, sha, len) == 0;
}

static void on_checked(void *arg, const struct shell_command_result *res)
{
        struct job *job = arg;
        struct strbuf why = STRBUF_INIT;
        job->check = NULL;
        strbuf_addstr(&why, "the deploy command left no exit code; ");
        if (res->end != SHELL_COMMAND_EXITED || res->code != 0 || res->out->len == 0) {
                strbuf_addf(&why, "deploy_check does not know either: %s",
                            res->end == SHELL_COMMAND_EXITED && res->code == 0 ? "it printed nothing"
                                                                               : res->err.text);
                found(job, "UNKNOWN", -1, why.buf);
        } else if (is_sha(res->out->buf, res->out->len, job->deploy_sha)) {
                strbuf_addstr(&why, "deploy_check says that the commit runs");
                found(job, "SUCCESS", -1, why.buf);
        } else {
                strbuf_addstr(&why, "deploy_check says that another commit runs: ");
                shell_command_first_line(&why, res->out->buf, res->out->len, SHOWN_SHA_MAX);
                found(job, "FAILED", -1, why.buf);
        }
        strbuf_deinit(&why);
}

static void check(struct job *job)
{
        const struct options *opt = job->host->opt;
        if (job->check_command == NULL) {
                found(job, "UNKNOWN", -1,
                      "the deploy command left no exit code, and the project has no deploy_check");
                return;
        }
        const struct shell_command_spec spec = {
                .command = job->check_command,
                .path = opt->agent_path,
                .env = opt->deploy_env,
                .work_item = job->claim.work_item,
                .sha = job->deploy_sha,
                .timeout_ms = opt->probe_timeout_ms,
        };
        job_set_state(job, JOB_CHECKING);
        job->check = shell_command_start(job->host->loop, &spec, on_checked, job);
}

static void on_hunted(void *arg, const struct proc_exit *ex)
{
        struct job *job = arg;
        job->hunter = NULL;
        if (!ex->signaled && ex->code == 0) {
                check(job);
                return;
        }
        log_error(EV("deploy.leftovers"), LF_I("job", job->claim.job), LF_S("error", proc_exit_text(ex)),
                  LF_S("then", "tried again; nothing is decided before"));
        loop_timer_arm(job->timer, backoff_next_ms(&job->backoff, backoff_random()));
}

static void hunt(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        const char *const argv[] = {job->host->shim,  "--clean",    "--lock", job->deploy.lock,
                                    "--lock-wait-ms", LOCK_WAIT_MS, NULL};
        const struct proc_spec spec = {.argv = argv, .cwd = "/"};
        log_warning(EV("deploy.no-status"), LF_I("job", job->claim.job), LF_S("path", job->deploy.path),
                    LF_S("then", "what is left of the command is killed, and production is asked"));
        if (proc_spawn(job->host->loop, &spec, on_hunted, job, &job->hunter, &err) < 0)
                loop_timer_arm(job->timer, backoff_next_ms(&job->backoff, backoff_random()));
}

/* ---- waiting ---- */

void job_finalize_look(struct job *job)
{
        if (job->state != JOB_AWAITING)
                job_set_state(job, JOB_AWAITING);
        switch (deploy_shim_look(&job->deploy)) {
        case DEPLOY_SHIM_ENDED:
                by_status(job);
                return;
        case DEPLOY_SHIM_KILLED:
                hunt(job);
                return;
        case DEPLOY_SHIM_RUNS:
        case DEPLOY_SHIM_UNKNOWN:
                loop_timer_arm(job->timer, LOOK_MS);
                return;
        }
}

/* The literal for a word of the database's. */
static const char *known_status(const char *word)
{
        static const char *const words[] = {"SUCCESS", "FAILED", "UNKNOWN"};
        for (size_t i = 0; word != NULL && i < ARRAY_SIZE(words); i++)
                if (strcmp(words[i], word) == 0)
                        return words[i];
        return NULL;
}

static void on_looked(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        if (!job_deploy_looked(job, res))
                return;
        const char *status = known_status(db_text(res, 0, "status"));
        const char *reason = db_text(res, 0, "reason");
        if (status != NULL)
                found(job, status, (int)db_int(res, 0, "exit_code", -1), reason != NULL ? reason : "");
        else if (job->deploy.path != NULL)
                job_finalize_look(job);
        else if (job->deploy_command == NULL)
                found(job, "SUCCESS", -1, reason != NULL ? reason : "there was nothing to start");
        else
                found(job, "UNKNOWN", -1, "the record of the deploy names no folder");
}

void job_finalize(struct job *job)
{
        job_deploy_look(job, on_looked);
}

/* ---- the log ---- */

static void deploy_log(const struct job *job, struct strbuf *sb)
{
        const struct report *r = &job->report;
        strbuf_addf(sb, "---\ndeploy_status: %s\n", r->deploy_status);
        if (r->deploy_exit_code >= 0)
                strbuf_addf(sb, "hook_exit_code: %d\n", r->deploy_exit_code);
        strbuf_addf(sb, "sha: %s\n---\n\n# Deploy of %s\n\n%s.\n", job->deploy_sha, job->claim.work_item,
                    r->deploy_reason);
        if (job_finalize_unknown(job))
                strbuf_addf(sb,
                            "\nNobody could find out what came of it, so a person decides; the decision is "
                            "in the history of %s.\n",
                            job->claim.work_item);
        if (job->deploy_host != NULL && job->deploy.path != NULL)
                strbuf_addf(sb, "\nIts output is on host %s in `%s`.\n", job->deploy_host, job->deploy.log);
}

void job_finalize_cut(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        struct strbuf text = STRBUF_INIT;
        _cleanup_(freep) char *path = xasprintf("%s/" DEPLOY_LOG, job->claim.docs_dir);
        deploy_log(job, &text);
        int r = doc_file_write(job->dir.tree, path, text.buf, &err);
        strbuf_deinit(&text);
        if (r < 0)
                job_conclude(job, REPORT_FAILED, "the deploy log cannot be written: %s", err.text);
        else
                job_collect(job);
}
