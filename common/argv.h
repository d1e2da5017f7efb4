/*
 * argv.h - command lines as arrays.
 *
 * argv_split() reads a configured command the way a person writes it: words separated by blanks, '...' and
 * "..." quoting, backslash escapes; no variables, globs or substitutions, so nothing in a value can run.
 */
#pragma once

#include <stddef.h>

struct errinfo;

struct argv {
        char **words; /* NULL-terminated; NULL itself until the first word is added */
        size_t n;
};

#define ARGV_INIT                                                                                            \
        {                                                                                                    \
                .words = NULL, .n = 0                                                                        \
        }

void argv_add(struct argv *a, const char *word); /* copies */
void argv_addf(struct argv *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void argv_deinit(struct argv *a);
void argv_wipe(struct argv *a); /* the same, for what holds a secret */
/* 0; -EINVAL with the reason in `err` (unbalanced quote, nothing in it). Adds to what is there. */
int argv_split(struct argv *a, const char *line, struct errinfo *err);
/* For environments: adds "name=value". */
void argv_env(struct argv *a, const char *name, const char *value);
