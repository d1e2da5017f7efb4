/*
 * roles.h - what each role must leave and which files are its own: the tables of roles.def.
 *
 * Used by the task file (what to leave), the commit (whose change is refused), the verdict reader and the
 * artefact check. File names are relative to the task's docs folder; `*` matches within one name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum role_need {
        ROLE_NEEDS_CHANGE,  /* any change: else nothing-left */
        ROLE_NEEDS_FILES,   /* `files`: else missing-artefacts */
        ROLE_NEEDS_VERDICT, /* `file` with `key`: else no-verdict */
};

struct role_step {
        const char *role;
        const char *stage;
        enum role_need need;
        const char *gate; /* the gate that the evidence is for: "review_approved"; "" when there is none */
        const char *file; /* the verdict file, or NULL */
        const char *key;  /* "verdict" */
        const char *const *values; /* "APPROVED", "REQUEST_CHANGES", NULL: the first one passes */
        const char *const *files;  /* the required files, NULL-terminated; NULL when there are none */
        const char *task;          /* what the task file says there is to do */
};

/* Questions for people, which a run may leave instead of its work. */
struct role_question {
        const char *role;
        const char *stage;
        const char *file;  /* "05-questions.md" */
        const char *key;   /* "status" */
        const char *value; /* "NEEDS_INPUT": also the value of the evidence */
};

/* NULL for a step that may not ask. */
const struct role_question *role_question(const char *role, const char *stage);
/* NULL for a role or stage that runs no agent. */
const struct role_step *role_step(const char *role, const char *stage);
/* The list that the front matter of the step's verdict may have; NULL: none. */
const char *role_list(const struct role_step *step);
/* Whether the step's verdict must answer what the branch does to its tests (test_changes.h). */
bool role_weighs_tests(const struct role_step *step);
/* The role that owns a path (relative to the root of the tree), or NULL when nobody does. */
const char *role_owner(const char *docs_dir, const char *path);
/* Whether the role's work is a verdict. It changes nothing outside the task's docs folder: nobody would judge
 * that again. */
bool role_judges(const char *role);
/* Whether a run of `role` may change `path`: nobody else owns it, or anything in it or above it, and it is no
 * code that the role is to judge. */
bool role_may_change(const char *role, const char *docs_dir, const char *path);
