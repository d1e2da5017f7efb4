/* artefacts.c - see artefacts.h. */
#include "workerd/artefacts.h"

#include <fnmatch.h>
#include <string.h>

#include "common/mem.h"

static bool is_empty_blob(const char *oid)
{
        return strcmp(oid, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391") == 0 ||
               strcmp(oid, "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813") == 0;
}

/* "MODE TYPE OID" TAB "PATH" NUL */
bool artefact_next(const char **at, const char *limit, struct artefact *ret)
{
        const char *line = *at;
        const char *nul = line < limit ? memchr(line, '\0', (size_t)(limit - line)) : NULL;
        const char *tab = nul != NULL ? memchr(line, '\t', (size_t)(nul - line)) : NULL;
        const char *type = tab != NULL ? memchr(line, ' ', (size_t)(tab - line)) : NULL;
        const char *oid = type != NULL ? memchr(type + 1, ' ', (size_t)(tab - type - 1)) : NULL;
        if (oid == NULL || !git_oid_read(oid + 1, ret->blob))
                return false;
        ret->path = tab + 1;
        ret->is_file = strncmp(line, "100644 ", 7) == 0 || strncmp(line, "100755 ", 7) == 0;
        ret->is_empty = is_empty_blob(ret->blob);
        *at = nul + 1;
        return true;
}

enum artefact_found artefact_find(const char *list, size_t len, const char *docs_dir, const char *pattern,
                                  struct artefact *ret)
{
        size_t dir_len = strlen(docs_dir);
        enum artefact_found found = ARTEFACT_MISSING;
        struct artefact a;
        for (const char *at = list; artefact_next(&at, list + len, &a);) {
                if (strncmp(a.path, docs_dir, dir_len) != 0 || a.path[dir_len] != '/' ||
                    fnmatch(pattern, a.path + dir_len + 1, FNM_PATHNAME | FNM_PERIOD) != 0)
                        continue;
                if (a.is_file && !a.is_empty) {
                        *ret = a;
                        return ARTEFACT_PRESENT;
                }
                found = a.is_file ? ARTEFACT_EMPTY : ARTEFACT_NOT_A_FILE;
        }
        return found;
}
