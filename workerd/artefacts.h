/* artefacts.h - which files a commit holds, as `git ls-tree -r -z` lists them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/git.h"

struct artefact {
        const char *path; /* borrowed from the list */
        char blob[GIT_OID_SIZE];
        bool is_file; /* an ordinary file; else a symbolic link or a submodule */
        bool is_empty;
};

/* Reads the entry at *at and moves on; false at the end, or at what is no entry. */
bool artefact_next(const char **at, const char *limit, struct artefact *ret);

enum artefact_found {
        ARTEFACT_PRESENT = 0,
        ARTEFACT_MISSING,
        ARTEFACT_NOT_A_FILE, /* something else stands under the name */
        ARTEFACT_EMPTY,
};

/* Looks in the list for `pattern` (`*` matches within one name) below `docs_dir`; the first that is as it
 * should be. */
enum artefact_found artefact_find(const char *list, size_t len, const char *docs_dir, const char *pattern,
                                  struct artefact *ret);
