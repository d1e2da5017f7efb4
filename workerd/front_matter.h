/*
 * front_matter.h - reads the YAML front matter of a Markdown file: the lines between a first line `---` and
 * the next line `---`. Pure; foreign bytes in, so it is fuzzed.
 *
 * Strict: one mapping; keys and values as plain, single or double quoted scalars, or a list of them; any
 * other nested value is skipped and its key counts as absent. Refused: a duplicate key, an anchor, an alias,
 * a tag, a second document, a front matter longer than 64 KiB or not closed, invalid UTF-8, NUL. A byte order
 * mark at the start is skipped; CRLF ends a line as LF does.
 */
#pragma once

#include <stddef.h>

#include "common/argv.h"
#include "common/err.h"

#define FRONT_MATTER_MAX (64u << 10)

struct front_matter;

enum front_matter_outcome {
        FRONT_MATTER_OK = 0,
        FRONT_MATTER_NONE = 1,    /* the file does not begin with one */
        FRONT_MATTER_INVALID = 2, /* it begins with something that is not one; err says why */
};

int front_matter_parse(const char *text, size_t len, struct front_matter **ret, struct errinfo *err);
/* Where the text after the front matter begins; `len` when there is no front matter that is closed. */
size_t front_matter_end(const char *text, size_t len);
void front_matter_free(struct front_matter *fm);
/* The scalar of a top-level key, NULL when absent. An empty value is "". */
const char *front_matter_get(const struct front_matter *fm, const char *key);
/* Adds the words of a top-level list: a YAML list of scalars, or a scalar whose words are separated by blanks
 * or commas. Nothing when the key is absent. FRONT_MATTER_INVALID for a value that is no such list. */
int front_matter_list(const struct front_matter *fm, const char *key, struct argv *ret);
