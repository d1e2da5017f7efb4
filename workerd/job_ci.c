/*
 * job_ci.c - the project's own command: on the branch head (roles ci, coverage and image), or on what would
 * land (integrator, merger). Its exit is the commit status, or the evidence of the step; no file counts. Red
 * is an answer, not a failure of the job: the gate sends the task back (P-5).
 */
#include "workerd/job_internal.h"

#include <string.h>

#include "common/mem.h"
#include "workerd/run_status.h"

#define SHOWN_BYTES 1500

/* The end of the output, from the begin of a line: what the next developer is told. */
static const char *output_end(const struct strbuf *log)
{
        if (log->len <= SHOWN_BYTES)
                return log->buf;
        const char *from = log->buf + log->len - SHOWN_BYTES;
        const char *newline = strchr(from, '\n');
        return newline != NULL ? newline + 1 : "";
}

static const char *name(const struct job *job)
{
        return job->claim.kind == CLAIM_CHECK ? job->claim.role : "test";
}

/* What the exit is for. */
static void answer(struct job *job, bool good, const char *said)
{
        switch (job->claim.kind) {
        case CLAIM_CI:
                report_ci_state(&job->report, good ? "success" : "failure");
                break;
        case CLAIM_INTEGRATE:
                job_integrate_tested(job, good, said);
                return;
        case CLAIM_MERGE:
                job_merge_tested(job, good, said);
                return;
        case CLAIM_AGENT:
        case CLAIM_CHECK:
        case CLAIM_DEPLOY:
        case CLAIM_FINALIZE:
                report_check_state(&job->report, good ? "pass" : "fail");
                break;
        }
        job_conclude(job, REPORT_SUCCESS, "%s", said);
}

static void red(struct job *job, const char *how)
{
        _cleanup_(freep) char *said = xasprintf("the %s command %s; its output ended in:\n%s", name(job), how,
                                                output_end(&job->report.log_excerpt));
        answer(job, false, said);
}

static void exited(struct job *job, int code)
{
        _cleanup_(freep) char *how = xasprintf("exited with %d", code);
        job->report.exit_code = code;
        if (code != 0) {
                red(job, how);
                return;
        }
        _cleanup_(freep) char *said = xasprintf("the %s command %s", name(job), how);
        answer(job, true, said);
}

static void killed(struct job *job, int signo)
{
        _cleanup_(freep) char *how = xasprintf("was killed by signal %d (%s)", signo, strsignal(signo));
        job->report.signo = signo;
        red(job, how);
}

void job_ci_ended(struct job *job, const struct run_status *st)
{
        switch (st->end) {
        case RUN_EXITED:
                exited(job, st->code);
                return;
        case RUN_SIGNALED:
                killed(job, st->signo);
                return;
        case RUN_TIMEOUT:
                red(job, strcmp(st->stop_reason, "wall") == 0 ? "ran for longer than it may"
                                                              : "wrote nothing for longer than it may");
                return;
        case RUN_START_FAILED:
                job_conclude(job, REPORT_FAILED, "the %s command could not be started: %s", name(job),
                             st->error);
                return;
        case RUN_STOPPED:
                job_conclude(job, REPORT_TRANSIENT, "the %s command was stopped (%s)", name(job),
                             st->stop_reason);
                return;
        }
}
