/*
 * branch_guard.h - the one place that says which branches are never pushed to and never deleted (rule C-4):
 * the default branch, and every other one that is not a task's. So nobody has to tell us which are protected.
 *
 * Asked by git_push() and by forge_delete_branch(), before anything is sent. In doubt (no default branch
 * known, a name that git would read as something else) it refuses.
 */
#pragma once

#include "common/err.h"

/* 0, or -EPERM with the reason in `err`. `branch` comes without refs/heads/. Pure. */
int branch_guard(const char *branch, const char *default_branch, struct errinfo *err);
/* Whether `name` is a plain branch name that means the same to us, to git and in a URL: 0 or -EINVAL. Pure.
 */
int branch_name_check(const char *name, struct errinfo *err);
