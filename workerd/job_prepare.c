/*
 * job_prepare.c - from a claim to a tree that an agent can work in: mirror, a look for what an earlier life
 * of this job has pushed already, a private folder, a clone at the right commit.
 */
#include "workerd/job_internal.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "workerd/commit.h"
#include "workerd/leftovers.h"
#include "workerd/test_changes.h"
#include "workerd/mirror.h"
#include "workerd/tree.h"

static void update_mirror(struct job *job);

/* A command of the project: it gets the head as it is, and what it leaves there is no work. */
static bool runs_on_head(const struct job *job)
{
        return claim_shell_command(&job->claim) != NULL || job->claim.kind == CLAIM_DEPLOY;
}

static void on_weighed(void *arg, const struct test_changes_result *res)
{
        struct job *job = arg;
        job->test_changes_op = NULL;
        if (!res->known) {
                job_conclude(job, REPORT_TRANSIENT, "the changes to tests are not known: %s", res->err.text);
                return;
        }
        for (size_t i = 0; i < res->signals->n; i++)
                argv_add(&job->test_changes, res->signals->words[i]);
        job->weighed(job);
}

void job_weigh(struct job *job, const char *base, const char *head, void (*fn)(struct job *job))
{
        argv_deinit(&job->test_changes);
        job->info.test_changes = &job->test_changes;
        job->weighed = fn;
        if (role_weighs_tests(job->step) && base != NULL && base[0] != '\0')
                job->test_changes_op = test_changes_find(job->host->git, &job->info, job->mirror, base, head,
                                                         on_weighed, job);
        else
                fn(job);
}

static void on_cut(void *arg, const struct tree_result *res)
{
        struct job *job = arg;
        job->tree_op = NULL;
        switch (res->outcome) {
        case TREE_OK:
                memcpy(job->start_sha, res->start_sha, sizeof(job->start_sha));
                memcpy(job->base_sha, res->base_sha, sizeof(job->base_sha));
                job->info.start_sha = job->start_sha;
                job->info.base_sha = job->base_sha;
                if (job->claim.kind == CLAIM_DEPLOY)
                        job_deploy_cut(job);
                else if (job->claim.kind == CLAIM_FINALIZE)
                        job_finalize_cut(job);
                else
                        job_weigh(job, job->base_sha, job->start_sha, job_start);
                return;
        case TREE_MOVED:
                job_conclude(job, REPORT_FAILED,
                             "somebody else has pushed to the branch %s: it is at %s, not at %s",
                             job->claim.branch, res->head_sha[0] != '\0' ? res->head_sha : "(gone)",
                             job->claim.head_sha != NULL ? job->claim.head_sha : "(not made yet)");
                return;
        case TREE_FAILED:
                job_conclude(job, REPORT_TRANSIENT, "the work tree could not be made: %s", res->err.text);
                return;
        }
}

static void on_cleared(void *arg, int r, const struct errinfo *err)
{
        struct job *job = arg;
        job->tree_remove = NULL;
        if (r < 0)
                job_conclude(job, REPORT_TRANSIENT, "an earlier run folder could not be removed: %s",
                             err->text);
        else
                job_cut(job);
}

/* The folder exists already when this very claim was given out before and lost with its database (a
 * failover). */
void job_cut(struct job *job)
{
        struct errinfo err = ERRINFO_INIT;
        int r = run_dir_create(&job->dir, &err);
        if (r == -EEXIST && job->state != JOB_CLEARING) {
                job_set_state(job, JOB_CLEARING);
                job->tree_remove = tree_remove(job->host->loop, job->dir.path, on_cleared, job);
                return;
        }
        if (r == 0)
                r = leftovers_mark(&job->dir, &err);
        if (r < 0) {
                job_conclude(job, REPORT_TRANSIENT, "the run folder could not be made: %s", err.text);
                return;
        }
        job_set_state(job, JOB_CUTTING);
        if (runs_on_head(job))
                job->tree_op = tree_checkout(job->host->git, &job->info, &job->dir, job->mirror,
                                             job->land.head[0] != '\0' ? job->land.head : job->claim.head_sha,
                                             on_cut, job);
        else
                job->tree_op = tree_prepare(job->host->git, &job->info, &job->dir, job->mirror, on_cut, job);
}

/* Once there is work to lose, it is not given up for a remote that is away. */
static void unreachable(struct job *job, const char *what, enum port_outcome said, const struct errinfo *err)
{
        const struct port_answer answer = {.outcome = said, .retry_after_s = -1, .err = *err};
        if (job->launched || job->claim.kind == CLAIM_FINALIZE || port_waits(said))
                job_forge_away(job, what, &answer, update_mirror);
        else
                job_conclude(job, REPORT_TRANSIENT, "%s: %s", what, err->text);
}

/* P-4: a trailer is text, which anybody can write who can push. What counts is that a run of this job said,
 * before it pushed, that this commit is its own. */
static bool is_announced(const struct job *job, const char *sha)
{
        const char *said = job->claim.announced;
        return strcmp(sha, job->report.head_sha != NULL ? job->report.head_sha : "") == 0 ||
               (said != NULL && strstr(said, sha) != NULL);
}

static void on_sought(void *arg, const struct commit_result *res)
{
        struct job *job = arg;
        job->commit_op = NULL;
        switch (res->outcome) {
        case COMMIT_OK:
                if (!is_announced(job, res->sha)) {
                        job_conclude(job, REPORT_FAILED,
                                     "somebody else has pushed to the branch %s: commit %s says that it is "
                                     "of this job, and no run of it has made it",
                                     job->claim.branch, res->sha);
                        return;
                }
                log_info(EV("job.found-pushed"), LF_I("job", job->claim.job), LF_I("epoch", job->claim.epoch),
                         LF_S("sha", res->sha), LF_I("made_by_epoch", res->epoch));
                job->pushed_before = true;
                memcpy(job->start_sha, res->parent, sizeof(job->start_sha));
                job->info.start_sha = job->start_sha;
                report_commit(&job->report, res, job->claim.branch);
                job_judge(job);
                return;
        case COMMIT_NOTHING:
                job->unpushed(job);
                return;
        case COMMIT_FAILED:
                unreachable(job, "the mirror could not be searched", PORT_OK, &res->err);
                return;
        }
}

static void seek(struct job *job)
{
        job_set_state(job, JOB_SEEKING);
        job->commit_op = commit_find(job->host->git, &job->info, &job->dir, job->mirror, on_sought, job);
}

static void on_mirrored(void *arg, const struct mirror_result *res)
{
        struct job *job = arg;
        job->mirror_op = NULL;
        if (res->outcome != MIRROR_OK) {
                unreachable(job, "the repository could not be fetched", res->said, &res->err);
                return;
        }
        job_forge_answered(job);
        job->fetched(job);
}

static void update_mirror(struct job *job)
{
        job_set_state(job, JOB_MIRRORING);
        job->mirror_op = mirror_update(job->host->git, job->mirror, &job->info.remote, on_mirrored, job);
}

void job_fetch(struct job *job, void (*next)(struct job *job))
{
        job->fetched = next;
        update_mirror(job);
}

void job_fetch_again(struct job *job)
{
        update_mirror(job);
}

void job_seek(struct job *job, void (*unpushed)(struct job *job))
{
        job->unpushed = unpushed;
        job_fetch(job, seek);
}

/* Of a run of the project's own command. */
static bool is_checkable(struct job *job)
{
        if (job->claim.head_sha == NULL)
                job_conclude(job, REPORT_FAILED, "there is nothing to work on: the branch was never pushed");
        else if (job->claim.kind != CLAIM_DEPLOY && claim_shell_command(&job->claim)[0] == '\0')
                job_conclude(job, REPORT_FAILED, "the project gives no command for the %s", job->claim.role);
        else
                return true;
        return false;
}

bool job_acceptable(struct job *job)
{
        job->mirror = run_dir_mirror(job->host->state_dir, job->claim.repo);
        if (job->mirror == NULL) {
                job_conclude(job, REPORT_FAILED, "\"%s\" cannot be the name of a repository",
                             job->claim.repo);
                return false;
        }
        if (runs_on_head(job))
                return is_checkable(job);
        job->step = role_step(job->claim.role, job->claim.stage);
        if (job->step == NULL)
                job_conclude(job, REPORT_FAILED, "no %s works in stage %s", job->claim.role,
                             job->claim.stage);
        return job->step != NULL;
}

void job_prepare(struct job *job)
{
        if (!job_acceptable(job))
                return;
        if (runs_on_head(job))
                job_fetch(job, job_cut);
        else
                job_seek(job, job_cut);
}
