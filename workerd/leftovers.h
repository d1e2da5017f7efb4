/*
 * leftovers.h - the folders of runs whose workerd died before it could remove them.
 *
 * A run folder names its owner (pid, start time, boot) in the file `owner` for as long as there is something
 * to remove. A folder whose owner is dead is an heir's (adoption.h), unless the database says that its claim
 * is over: then a shim that still lives in it is told to kill, and tree/, home/ and tmp/ are removed; log and
 * status stay. A bounded number of folders at a time, so that a look is never slow.
 */
#pragma once

#include <stdint.h>

struct db;
struct errinfo;
struct loop;
struct run_dir;
struct leftovers;

/* This process owns the folder. 0 or -errno. */
int leftovers_mark(const struct run_dir *dir, struct errinfo *err);
/* Nothing is left to remove. */
void leftovers_unmark(const struct run_dir *dir);

struct leftovers *leftovers_new(struct loop *loop, struct db *db, const char *state_dir); /* borrowed, all */
void leftovers_free(struct leftovers *l);                                                 /* NULL is fine */
/* Looks now, unless it has looked within `interval_ms`, or is still at it. */
void leftovers_wake(struct leftovers *l, int64_t interval_ms);
