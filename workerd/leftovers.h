/*
 * leftovers.h - the folders of runs whose workerd died before it could remove them.
 *
 * A run folder names its owner (pid, start time, boot) in the file `owner` for as long as there is something
 * to remove. After the start, folders whose owner is dead, and whose job's lock nobody holds, lose tree/,
 * home/ and tmp/; log and status stay. A bounded number at a time; while there are more, or a dead worker's
 * shim still stops its agent, another look follows.
 */
#pragma once

struct errinfo;
struct loop;
struct run_dir;
struct leftovers;

/* This process owns the folder. 0 or -errno. */
int leftovers_mark(const struct run_dir *dir, struct errinfo *err);
/* Nothing is left to remove. */
void leftovers_unmark(const struct run_dir *dir);

/* Sweeps in the background, from the loop. */
struct leftovers *leftovers_sweep(struct loop *loop, const char *state_dir);
void leftovers_free(struct leftovers *l); /* NULL is fine */
