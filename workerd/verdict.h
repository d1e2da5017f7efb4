/*
 * verdict.h - what a finished run proves: read from its COMMIT, never from the working tree.
 *
 * A verdict is a known value under the role's key in the front matter of the role's file, an ordinary file in
 * the commit. Anything else (missing, a symbolic link, prose, an unknown value, a `head:` key that names
 * another commit than the one judged, a list that is none) is "not there", with the reason. So is an approval
 * of a branch that changes its tests (info->test_changes), unless it says `test_changes: ACCEPTED`. Required
 * artefacts are judged the same way: present as ordinary, non-empty files. A step that may ask (roles.def)
 * may leave a file of questions instead, new or changed by this run, whose front matter says so: then that is
 * what it proves.
 */
#pragma once

#include <stdbool.h>

#include "common/git.h"
#include "workerd/roles.h"
#include "workerd/run_info.h"

struct verdict_op;

/* One row of report.evidence. */
struct verdict_evidence {
        const char *gate;
        const char *value;     /* "APPROVED"; "present" for artefacts; "NEEDS_INPUT" */
        const char *file;      /* path in the tree */
        const char *questions; /* what is asked; else NULL */
        char blob[GIT_OID_SIZE];
        const char *detail; /* a JSON object, or NULL: the step's list, what was accepted */
};

enum verdict_outcome {
        VERDICT_OK = 0,  /* what the role must leave is there */
        VERDICT_ABSENT,  /* it is not: err says why; the job's outcome is verdict_missing_outcome() */
        VERDICT_UNKNOWN, /* git failed: nothing is known; try again */
};

struct verdict_result {
        enum verdict_outcome outcome;
        const struct verdict_evidence *evidence;
        size_t n_evidence;
        struct errinfo err;
};

typedef void verdict_fn(void *arg, const struct verdict_result *res);

/* Judges commit `sha` of a run: the verdict file, or the required files, or (ROLE_NEEDS_CHANGE) nothing at
 * all; a change is judged by commit_result.changed. `info` and `step` are borrowed until the callback. */
struct verdict_op *verdict_read(struct git *git, const struct run_info *info, const struct role_step *step,
                                const char *mirror, const char *sha, verdict_fn *fn, void *arg);
void verdict_cancel(struct verdict_op *op);
/* "no-verdict", "missing-artefacts" or "nothing-left": the word for job_finish. */
const char *verdict_missing_outcome(const struct role_step *step);
