/* tmp_dir.h - a folder for one test, and its removal with all that is in it. */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static inline char *tmp_dir_make(void)
{
        char dir[] = "/tmp/orch-unit-XXXXXX";
        assert_non_null(mkdtemp(dir));
        return xstrdup(dir);
}

static inline int tmp_dir_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

/* Frees the name, too. */
static inline void tmp_dir_remove(char *dir)
{
        assert_int_equal(nftw(dir, tmp_dir_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
        free(dir);
}
