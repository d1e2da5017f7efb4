/*
 * job_ci.c - role ci: the project's own command on the branch head. Its exit is the commit status; no file
 * counts. Red is an answer, not a failure of the job: the gate sends the task back (P-5).
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

static void red(struct job *job, const char *how)
{
        report_ci_state(&job->report, "failure");
        job_conclude(job, REPORT_SUCCESS, "%s; its output ended in:\n%s", how,
                     output_end(&job->report.log_excerpt));
}

static void exited(struct job *job, int code)
{
        _cleanup_(freep) char *how = xasprintf("the test command exited with %d", code);
        job->report.exit_code = code;
        if (code != 0) {
                red(job, how);
                return;
        }
        report_ci_state(&job->report, "success");
        job_conclude(job, REPORT_SUCCESS, "%s", how);
}

static void killed(struct job *job, int signo)
{
        _cleanup_(freep) char *how =
                xasprintf("the test command was killed by signal %d (%s)", signo, strsignal(signo));
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
                red(job, strcmp(st->stop_reason, "wall") == 0
                                 ? "the test command ran for longer than it may"
                                 : "the test command wrote nothing for longer than it may");
                return;
        case RUN_START_FAILED:
                job_conclude(job, REPORT_FAILED, "the test command could not be started: %s", st->error);
                return;
        case RUN_STOPPED:
                job_conclude(job, REPORT_TRANSIENT, "the test command was stopped (%s)", st->stop_reason);
                return;
        }
}
