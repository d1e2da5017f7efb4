/*
 * job_merge.c - role merger: the branch, at the head and on the base that were tested, into the default
 * branch, through the forge; then what has landed is verified (M-4).
 *
 * A default branch that has moved since the test (the deploy came in between, so the branch stays as it is)
 * is merged with the head on trial, and that is tested first. A conflict, a red test and a mismatch are
 * answers, not failures of the job: the gate says what follows. Merged already is merged.
 */
#include "workerd/job_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "workerd/landing.h"
#include "workerd/mirror.h"
#include "workerd/verdict.h"

static void look(struct job *job);
static void verify(struct job *job);

static void conclude(struct job *job, const char *value, const char *sha, const char *why)
{
        const struct verdict_evidence evidence = {.gate = "merge_verified", .value = value};
        report_add_evidence(&job->report, &evidence, sha);
        report_base(&job->report, job->land.base);
        job_conclude(job, REPORT_SUCCESS, "%s", why);
}

/* ---- before ---- */

static void base_moved(struct job *job, const char *base)
{
        job_conclude(job, REPORT_BASE_MOVED, "%s went from %s to %s while the merge was tested",
                     job->claim.default_branch, job->land.base, base);
}

/* What was tested before, by us or by the integrator, or is to be tested now. */
static void on_untested(struct job *job, const struct landing_look_result *res)
{
        if (job->land.green && strcmp(job->land.base, res->base_sha) == 0) {
                job_ask(job);
        } else if (job->land.green) {
                base_moved(job, res->base_sha);
        } else {
                memcpy(job->land.base, res->base_sha, GIT_OID_SIZE);
                memcpy(job->land.head, res->candidate, GIT_OID_SIZE);
                job->land.test = true;
                job_cut(job);
        }
}

static void on_looked(void *arg, const struct landing_look_result *res)
{
        struct job *job = arg;
        job->look_op = NULL;
        switch (res->outcome) {
        case LANDING_READY:
        case LANDING_MERGED:
                job->land.merged = res->outcome == LANDING_MERGED;
                if (!job->land.green)
                        memcpy(job->land.base, res->base_sha, GIT_OID_SIZE);
                job_ask(job);
                return;
        case LANDING_UNTESTED:
                on_untested(job, res);
                return;
        case LANDING_CONFLICT:
                memcpy(job->land.base, res->base_sha, GIT_OID_SIZE);
                conclude(job, "failed", job->claim.head_sha, res->err.text);
                return;
        case LANDING_GONE:
                job_final(job, res->err.text);
                return;
        case LANDING_FAILED:
                mirror_suspect(job->mirror);
                job_conclude(job, REPORT_TRANSIENT, "the merge could not be looked at: %s", res->err.text);
                return;
        }
}

static void look(struct job *job)
{
        job_set_state(job, JOB_TRYING);
        job->look_op =
                landing_look(job->host->git, &job->info, job->mirror, job->claim.tested_base, on_looked, job);
}

void job_merge(struct job *job)
{
        if (job_acceptable(job))
                job_fetch(job, look);
}

void job_merge_tested(struct job *job, bool green, const char *said)
{
        if (job->land.base[0] == '\0' && /* adopted: what is tested began on the base it would land on */
            !git_oid_read(job->claim.base_sha != NULL ? job->claim.base_sha : "", job->land.base))
                job->land.base[0] = '\0';
        job->land.green = green;
        if (green) {
                job_fetch(job, look);
                return;
        }
        _cleanup_(freep) char *why =
                xasprintf("merged with %s, which has moved, it fails: %s", job->claim.default_branch, said);
        conclude(job, "failed", job->claim.head_sha, why);
}

/* ---- the merge ---- */

static void landed(struct job *job, const struct forge_merge_answer *answer)
{
        report_merge(&job->report, answer->merged_sha, answer->base_sha, answer->tree);
        log_info(EV("job.merged"), LF_I("job", job->claim.job), LF_S("branch", job->claim.branch),
                 LF_S("head", job->claim.head_sha), LF_S("how", forge_merge_outcome_name(answer->outcome)));
        job_fetch(job, verify);
}

/* The forge is not asked for what is done. How the head came in the repository tells. */
static void merged_before(struct job *job)
{
        const struct forge_merge_answer answer = {.outcome = FORGE_ALREADY_MERGED};
        job_set_state(job, JOB_MERGING);
        landed(job, &answer);
}

static void refused(struct job *job, const struct forge_merge_answer *answer)
{
        _cleanup_(freep) char *why =
                xasprintf("the forge does not merge (%s): %s", forge_merge_outcome_name(answer->outcome),
                          answer->port.err.text);
        job_final(job, why);
}

static void on_merged(void *arg, const struct forge_merge_answer *answer)
{
        struct job *job = arg;
        job->forge_call = NULL;
        if (answer->outcome != FORGE_UNAVAILABLE && answer->outcome != FORGE_UNKNOWN)
                job_forge_answered(job);
        switch (answer->outcome) {
        case FORGE_MERGED:
        case FORGE_ALREADY_MERGED:
                landed(job, answer);
                return;
        case FORGE_CONFLICT:
                conclude(job, "failed", job->claim.head_sha, answer->port.err.text);
                return;
        case FORGE_BASE_MOVED:
                base_moved(job, answer->base_sha);
                return;
        case FORGE_MOVED:
        case FORGE_REFUSED:
        case FORGE_NOT_FOUND:
                refused(job, answer);
                return;
        case FORGE_UNAVAILABLE:
        case FORGE_UNKNOWN:
                job_forge_away(job, "merge", &answer->port, job_ask);
                return;
        }
}

void job_merge_asked(struct job *job)
{
        const struct claim *c = &job->claim;
        struct errinfo err = ERRINFO_INIT;
        if (job->land.merged) {
                merged_before(job);
                return;
        }
        const struct forge_config cfg = {.adapter = c->forge,
                                         .default_branch = c->default_branch,
                                         .git = job->host->git,
                                         .location = c->location,
                                         .http = job->host->http,
                                         .url = c->server,
                                         .token_file = c->token_file,
                                         .repo = c->forge_name};
        if (job->forge == NULL)
                job->forge = forge_new(&cfg, &err);
        if (job->forge == NULL) {
                job_conclude(job, REPORT_FAILED, "no forge to merge at: %s", err.text);
                return;
        }
        _cleanup_(freep) char *message = xasprintf("Merge %s: %s", c->work_item, job->info.title);
        const struct forge_merge_spec spec = {.branch = c->branch,
                                              .expected_head = c->head_sha,
                                              .expected_base = job->land.base,
                                              .message = message};
        job_set_state(job, JOB_MERGING);
        job->forge_call = forge_merge(job->forge, &spec, on_merged, job);
}

/* ---- after ---- */

void job_merge_verified(struct job *job)
{
        _cleanup_(freep) char *why = xasprintf("merged as %s", job->report.merged_sha);
        conclude(job, "merged", job->report.merged_sha, why);
}

void job_merge_mismatch(struct job *job, const char *why)
{
        log_error(EV("job.mismatch"), LF_I("job", job->claim.job), LF_S("sha", job->report.merged_sha),
                  LF_S("reason", why), LF_S("then", "the repo is frozen, and a person decides"));
        conclude(job, "mismatch",
                 job->report.merged_sha != NULL ? job->report.merged_sha : job->claim.head_sha, why);
}

static void on_verified(void *arg, const struct landing_verify_result *res)
{
        struct job *job = arg;
        job->verify_op = NULL;
        if (res->merged_sha[0] != '\0')
                report_merge(&job->report, res->merged_sha, res->landed_base, res->landed_tree);
        switch (res->verdict) {
        case LANDING_VERIFIED:
                if (job->claim.integrity != NULL)
                        job_integrity(job);
                else
                        job_merge_verified(job);
                return;
        case LANDING_MISMATCH:
                job_merge_mismatch(job, res->err.text);
                return;
        case LANDING_UNKNOWN:
                mirror_suspect(job->mirror);
                job_retry(job, "look at what landed", &res->err, job_fetch_again);
                return;
        }
}

static void verify(struct job *job)
{
        const struct claim *c = &job->claim;
        const struct landing_spec spec = {
                .mirror = job->mirror,
                .default_branch = c->default_branch,
                .head = c->head_sha,
                .deployed = c->deployed_sha,
                .tested_base = job->land.green ? job->land.base : c->tested_base,
                .merged_sha = job->report.merged_sha,
                .landed_base = job->report.base_sha,
                .landed_tree = job->report.merge_tree,
                .markers = c->markers,
        };
        job_set_state(job, JOB_VERIFYING);
        job->verify_op = landing_verify(job->host->git, &spec, on_verified, job);
}
