/*
 * job_deploy.c - role releaser: phase B of a deploy (M-3). A work tree, then the durable record that the
 * deploy begins, then the folder of the record, then its shim.
 *
 * Between any two of these steps we may die. Who comes after us looks at the record and makes the folder, or
 * finds it made: then the command may have been started, and is not started again; what came of it is the
 * finalizer's to find out. From the record on nothing is given up because somebody asks us to.
 */
#include "workerd/job_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/proc.h"
#include "queries.h"
#include "workerd/deploy_shim.h"
#include "workerd/run_status.h"
#include "workerd/shim_link.h"

#define LOOK_DEADLINE_MS     10000
#define INITIATE_DEADLINE_MS 10000
#define BEGIN_MS             60000 /* for the shim to say that the command runs, on a machine under load */

static void begin_command(struct job *job);
static void initiate(struct job *job);

static char *copy(const struct db_result *res, const char *column)
{
        const char *text = db_text(res, 0, column);
        return text != NULL ? xstrdup(text) : NULL;
}

bool job_deploy_looked(struct job *job, const struct db_result *res)
{
        job->request = NULL;
        if (res->outcome != DB_OK) {
                job_retry(job, "deploy record", &res->err,
                          job->claim.kind == CLAIM_DEPLOY ? job_deploy : job_finalize);
                return false;
        }
        if (db_rows(res) != 1) {
                job_stop(job, JOB_STOP_CANCELLED); /* or fenced: recording it says so */
                return false;
        }
        run_dir_deinit(&job->deploy);
        if (db_text(res, 0, "dir") != NULL)
                run_dir_names_deploy(&job->deploy, db_text(res, 0, "dir"));
        free(job->deploy_command);
        job->deploy_command = copy(res, "command");
        free(job->check_command);
        job->check_command = copy(res, "check_command");
        free(job->deploy_sha);
        job->deploy_sha = copy(res, "sha");
        free(job->deploy_host);
        job->deploy_host = copy(res, "host");
        return true;
}

void job_deploy_look(struct job *job, void (*fn)(void *arg, const struct db_result *res))
{
        struct job_fence_text fence = job_fence_params(job);
        const char *params[] = {fence.job, fence.epoch, job->claim.token};
        job_set_state(job, JOB_LOOKING);
        job->request = db_query(job->host->db, &Q_DEPLOY_LOOK, params, LOOK_DEADLINE_MS, fn, job);
}

static void on_looked(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        if (!job_deploy_looked(job, res))
                return;
        if (job->deploy.path != NULL && access(job->deploy.path, F_OK) == 0)
                job_conclude(job, REPORT_SUCCESS, "the deploy was started before");
        else if (job->deploy_command == NULL)
                initiate(job);
        else
                job_prepare(job);
}

void job_deploy(struct job *job)
{
        job_deploy_look(job, on_looked);
}

void job_deploy_cut(struct job *job)
{
        initiate(job);
}

static void on_initiated(void *arg, const struct db_result *res)
{
        struct job *job = arg;
        const char *answer = res->outcome == DB_OK && db_rows(res) == 1 ? db_text(res, 0, "answer") : NULL;
        job->request = NULL;
        if (answer == NULL) {
                job_retry(job, "deploy record", &res->err,
                          initiate); /* the same claim hears the same again */
        } else if (strcmp(answer, "start") == 0) {
                run_dir_deinit(&job->deploy);
                run_dir_names_deploy(&job->deploy, db_text(res, 0, "dir"));
                begin_command(job);
        } else if (strcmp(answer, "nothing") == 0) {
                job_conclude(job, REPORT_SUCCESS, "the project has no deploy command");
        } else if (strcmp(answer, "already") == 0) {
                job_conclude(job, REPORT_SUCCESS,
                             "the deploy was initiated before, and is not started again");
        } else {
                job_stop(job, JOB_STOP_CANCELLED);
                if (job->state == JOB_INITIATING)
                        job_record(job);
        }
}

static void initiate(struct job *job)
{
        struct job_fence_text fence = job_fence_params(job);
        const char *params[] = {fence.job, fence.epoch, job->claim.token, job->host->state_dir};
        job_set_state(job, JOB_INITIATING);
        job->request =
                db_query(job->host->db, &Q_DEPLOY_INITIATE, params, INITIATE_DEADLINE_MS, on_initiated, job);
}

/* Whatever becomes of it now is on disk, and the finalizer's. */
static void begun(struct job *job, const char *how)
{
        shim_link_free(take_ptr(job->link));
        if (job->shim != NULL)
                proc_forget(take_ptr(job->shim));
        job_conclude(job, REPORT_SUCCESS, "the deploy was started: %s", how);
}

static void on_news(void *arg, const struct shim_news *news)
{
        struct job *job = arg;
        if (news->event == SHIM_STARTED) {
                log_info(EV("deploy.started"), LF_I("job", job->claim.job),
                         LF_S("work_item", job->claim.work_item), LF_S("sha", job->start_sha),
                         LF_I("command", news->agent), LF_S("log", job->deploy.log));
                metrics_count(METRIC_DEPLOYS_STARTED, 1);
                begun(job, "its command runs");
        } else if (news->event == SHIM_NOBODY || news->event == SHIM_GONE || news->event == SHIM_GARBAGE) {
                shim_link_free(take_ptr(job->link)); /* its exit tells */
        }
}

static void on_shim_exit(void *arg, const struct proc_exit *ex)
{
        struct job *job = arg;
        job->shim = NULL;
        begun(job, proc_exit_text(ex));
}

static void begin_command(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        int fd = -1;
        int r = deploy_shim_folder(&job->deploy, job->dir.tree, &err);
        if (r == -EEXIST) {
                job_conclude(job, REPORT_SUCCESS, "the deploy was started before");
                return;
        }
        job_set_state(job, JOB_BEGINNING);
        if (r == 0) {
                r = deploy_shim_start(job->host, &job->deploy, job->deploy_command, &job->info, on_shim_exit,
                                      job, &job->shim, &fd, &err);
                if (r < 0)
                        deploy_shim_give_back(&job->deploy);
        }
        if (r < 0) {
                job_conclude(job, REPORT_TRANSIENT, "the deploy could not be started: %s", err.text);
                return;
        }
        job->link = shim_link_take(job->host->loop, fd, on_news, job);
        loop_timer_arm(job->timer, BEGIN_MS);
}
