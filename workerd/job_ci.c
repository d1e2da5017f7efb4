/*
 * job_ci.c - role ci: the project's own command on the branch head. Its exit is the commit status; no file
 * counts. Red is an answer, not a failure of the job: the gate sends the task back (P-5).
 */
#include "workerd/job_internal.h"

#include <string.h>

#include "common/mem.h"
#include "workerd/run_status.h"

void job_ci_ended(struct job *job, const struct run_status *st)
{
        struct report *r = &job->report;
        switch (st->end) {
        case RUN_EXITED:
                r->exit_code = st->code;
                report_ci_state(r, st->code == 0 ? "success" : "failure");
                job_conclude(job, REPORT_SUCCESS, "the test command exited with %d", st->code);
                return;
        case RUN_SIGNALED:
                r->signo = st->signo;
                report_ci_state(r, "failure");
                job_conclude(job, REPORT_SUCCESS, "the test command was killed by signal %d (%s)", st->signo,
                             strsignal(st->signo));
                return;
        case RUN_TIMEOUT:
                report_ci_state(r, "failure");
                job_conclude(job, REPORT_SUCCESS, "the test command ran for longer than it may");
                return;
        case RUN_START_FAILED:
                job_conclude(job, REPORT_FAILED, "the test command could not be started: %s", st->error);
                return;
        case RUN_STOPPED:
                job_conclude(job, REPORT_TRANSIENT, "the test command was stopped (%s)", st->stop_reason);
                return;
        }
}
