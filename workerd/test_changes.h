/*
 * test_changes.h - what a branch does to its own tests: the signals that a reviewer must answer (P-4).
 *
 * Looked for from where the branch began to its head, without the task's docs folder: a test file that is
 * gone, or renamed to what is no test; more test lines removed than added; tests that are skipped; files that
 * decide what a gate demands. A signal accuses nobody: it asks for the line `test_changes: ACCEPTED` in the
 * review.
 *
 * Patterns, one per line: `name*` is the name of a file anywhere, `a/b*` a path, `folder/` all below a folder
 * of that name (with a slash inside: of that path).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/git.h"
#include "workerd/run_info.h"

#define TEST_CHANGES_MAX 20 /* signals that are named; of more their number is said */

/* Pure. Whether one of the patterns is about the path. */
bool test_changes_match(const char *globs, const char *path);
/* Pure. Adds signals by what `git diff-tree -r -z --raw --numstat` says; -EINVAL when that makes no sense. */
int test_changes_files(const char *out, size_t len, const struct run_info *info, struct argv *ret);
/* Pure. Adds signals by the lines of a patch. */
void test_changes_skips(const char *patch, size_t len, struct argv *ret);

struct test_changes_op;

struct test_changes_result {
        bool known;                 /* false: git failed, err says how */
        const struct argv *signals; /* borrowed; empty when there is none */
        struct errinfo err;
};

typedef void test_changes_fn(void *arg, const struct test_changes_result *res);

/* Looks at what lies between two commits of the mirror. */
struct test_changes_op *test_changes_find(struct git *git, const struct run_info *info, const char *mirror,
                                          const char *base, const char *head, test_changes_fn *fn, void *arg);
void test_changes_cancel(struct test_changes_op *op); /* NULL is fine */
