/*
 * job.h - one claimed job, from its claim to its recorded end.
 *
 * The job owns everything about one claim: the run's folder, the link to the agent's shim, the git
 * operations, the writes to the database. It does not own the agent: that lives under its shim, whatever
 * becomes of us. Each such write carries (job, epoch, token); the first that is refused ends the job without
 * another one. Three kinds share the states and differ in their steps: an agent's run, the project's own
 * command (ci), a merge.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workerd/claim.h"

struct claim_names;
struct loop;
struct db;
struct git;
struct http_client;
struct options;
struct job;

/* What all jobs of this process share. Borrowed; `opt` is exchanged at a reload, so nothing in it is kept. */
struct job_host {
        struct loop *loop;
        struct db *db;
        struct git *git;
        struct http_client *http;
        const struct options *opt;
        const char *state_dir;
        const char *shim; /* path of orch-shim */
        int64_t beat_ms;  /* loop_now_ms() at which the newest confirmed beat was sent; 0: none was yet */
};

/* Why a job is to end early; a later word overrides an earlier one. */
enum job_stop {
        JOB_STOP_NONE = 0,
        JOB_STOP_LEAVE, /* we leave: a run is let go for an heir to adopt; without one the job is given back
                         */
        JOB_STOP_CANCELLED, /* the database says so */
        JOB_STOP_FENCED,    /* the claim is not ours any more: kill, write nothing */
};

/* The job has ended here, or was let go; free it (in the callback, if liked). */
typedef void job_done_fn(void *arg, struct job *job);

/* Takes the claim's contents. The first step happens from the loop. `refused`: not NULL when claim_read()
 * made no sense of it; then recording that failure is all there is to do. */
struct job *job_new(const struct job_host *host, struct claim *claim, const char *refused, job_done_fn *fn,
                    void *arg);
/* The same for a claim that was another's before: its run is on this host, and is gone on with. */
struct job *job_new_adopted(const struct job_host *host, struct claim *claim, const char *refused,
                            job_done_fn *fn, void *arg);
/* In any state. What is under way is dropped; an agent that still runs goes on under its shim. NULL is fine.
 */
void job_free(struct job *job);
int64_t job_id(const struct job *job);
bool job_is_among(const struct job *job, const struct claim_names *claims);
/* Asks for an early end. A step that cannot be left half-done is done first; then the job ends as usual. */
void job_stop(struct job *job, enum job_stop why);
/* A beat has confirmed that the claim is not ours (any more). */
void job_not_held(struct job *job);
/* The claim was ours at `sent_ms` (loop_now_ms()), when a statement was sent that has since found it so: the
 * claim or adoption itself, job_started, a beat that names it. A running agent may go on from then; but never
 * from later than host->beat_ms, since others count our silence from our beats. Called with each of them. */
void job_confirmed(struct job *job, int64_t sent_ms);
