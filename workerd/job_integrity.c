/*
 * job_integrity.c - (merger) the project's own look at what was merged: its command `integrity`, in a tree of
 * what has landed (M-4).
 *
 * It changes nothing, so it is no run of its own: a worker that stops leaves it, and whoever goes on asks
 * again. Whatever ends otherwise than with 0, or not in time, is a mismatch: a person looks.
 */
#include "workerd/job_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "common/tree_remove.h"
#include "workerd/leftovers.h"
#include "workerd/shell_command.h"
#include "workerd/tree.h"

#define SAID_MAX 300

static void again(struct job *job, const struct errinfo *err)
{
        job_retry(job, "look at the integrity of what landed", err, job_fetch_again);
}

static void on_checked(void *arg, const struct shell_command_result *res)
{
        struct job *job = arg;
        const struct strbuf *said = res->err_out->len > 0 ? res->err_out : res->out;
        job->check = NULL;
        if (res->end == SHELL_COMMAND_NOT_STARTED) {
                again(job, &res->err);
        } else if (res->end == SHELL_COMMAND_EXITED && res->code == 0) {
                job_merge_verified(job);
        } else {
                struct strbuf why = STRBUF_INIT;
                strbuf_addf(&why, "the integrity command of the project, in %s: %s: ", job->report.merged_sha,
                            res->err.text);
                shell_command_first_line(&why, said->buf, said->len, SAID_MAX);
                job_merge_mismatch(job, why.buf);
                strbuf_deinit(&why);
        }
}

static void check(struct job *job)
{
        const struct options *opt = job->host->opt;
        const struct shell_command_spec spec = {
                .command = job->claim.integrity,
                .cwd = job->dir.tree,
                .path = opt->agent_path,
                .env = opt->deploy_env,
                .work_item = job->claim.work_item,
                .sha = job->report.merged_sha,
                .timeout_ms = opt->agent_timeout_ms,
        };
        job_set_state(job, JOB_CHECKING);
        job->check = shell_command_start(job->host->loop, &spec, on_checked, job);
}

static void on_cut(void *arg, const struct tree_result *res)
{
        struct job *job = arg;
        job->tree_op = NULL;
        if (res->outcome == TREE_OK)
                check(job);
        else
                again(job, &res->err);
}

static void on_removed(void *arg, int r, const struct errinfo *err)
{
        struct job *job = arg;
        job->tree_remove = NULL;
        if (r < 0) {
                again(job, err);
                return;
        }
        job_set_state(job, JOB_CUTTING);
        job->tree_op = tree_checkout(job->host->git, &job->info, &job->dir, job->mirror,
                                     job->report.merged_sha, on_cut, job);
}

/* The folder is there already when the merge was tested: its log stays, its tree goes. */
void job_integrity(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        int r = run_dir_create(&job->dir, &err);
        if (r == 0 || r == -EEXIST)
                r = leftovers_mark(&job->dir, &err);
        if (r < 0) {
                again(job, &err);
                return;
        }
        job_set_state(job, JOB_CLEARING);
        job->tree_remove = tree_remove(job->host->loop, job->dir.tree, on_removed, job);
}
