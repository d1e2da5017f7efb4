/*
 * job_merge.c - role merger: the branch, at the head that was tested, into the default branch, through the
 * forge. A conflict is an answer, not a failure of the job: the gate sends the task back (M-2). Merged
 * already is merged.
 */
#include "workerd/job_internal.h"

#include "common/log.h"
#include "common/mem.h"
#include "workerd/verdict.h"

static void landed(struct job *job, const struct forge_merge_answer *answer)
{
        const struct verdict_evidence evidence = {.gate = "merge_verified", .value = "merged"};
        report_add_evidence(&job->report, &evidence, answer->merged_sha);
        report_merge(&job->report, answer->merged_sha, answer->base_sha, answer->tree);
        log_info(EV("job.merged"), LF_I("job", job->claim.job), LF_S("branch", job->claim.branch),
                 LF_S("sha", answer->merged_sha), LF_S("how", forge_merge_outcome_name(answer->outcome)));
        job_conclude(job, REPORT_SUCCESS, "merged as %s", answer->merged_sha);
}

static void conflicted(struct job *job, const struct forge_merge_answer *answer)
{
        const struct verdict_evidence evidence = {.gate = "merge_verified", .value = "conflict"};
        report_add_evidence(&job->report, &evidence, job->claim.head_sha);
        job_conclude(job, REPORT_SUCCESS, "the branch does not merge: %s", answer->port.err.text);
}

static void on_merged(void *arg, const struct forge_merge_answer *answer)
{
        struct job *job = arg;
        job->forge_call = NULL;
        switch (answer->outcome) {
        case FORGE_MERGED:
        case FORGE_ALREADY_MERGED:
                landed(job, answer);
                return;
        case FORGE_CONFLICT:
                conflicted(job, answer);
                return;
        case FORGE_MOVED:
        case FORGE_BASE_MOVED:
        case FORGE_REFUSED:
        case FORGE_NOT_FOUND:
                job_conclude(job, REPORT_FAILED, "the forge does not merge (%s): %s",
                             forge_merge_outcome_name(answer->outcome), answer->port.err.text);
                return;
        case FORGE_UNAVAILABLE:
        case FORGE_UNKNOWN:
                job_retry(job, "merge", &answer->port.err, job_ask);
                return;
        }
}

void job_merge(struct job *job)
{
        const struct claim *c = &job->claim;
        struct errinfo err = ERRINFO_INIT;
        if (c->head_sha == NULL) {
                job_conclude(job, REPORT_FAILED, "there is nothing to merge: the branch was never pushed");
                return;
        }
        if (job->forge == NULL)
                job->forge = forge_new(job->host->git, c->forge, c->location, c->default_branch, &err);
        if (job->forge == NULL) {
                job_conclude(job, REPORT_FAILED, "no forge to merge at: %s", err.text);
                return;
        }
        _cleanup_(freep) char *message = xasprintf("Merge %s: %s", c->work_item, job->info.title);
        const struct forge_merge_spec spec = {
                .branch = c->branch, .expected_head = c->head_sha, .message = message};
        job_set_state(job, JOB_MERGING);
        job->forge_call = forge_merge(job->forge, &spec, on_merged, job);
}
