/* checkup_internal.h - what the files checkup*.c share. */
#pragma once

#include "ctl/checkup.h"

struct gitea;
struct plane;

/* Whether the last question was not answered well; says so then. */
bool checkup_failed(const struct checkup *c, const struct place *p, const char *what);
struct plane *checkup_plane(const struct checkup *c, const struct place *p);
struct gitea *checkup_gitea(const struct checkup *c, const struct place *p);
