/*
 * watch.h - what a worker does for watches in production (M-5): asks probes, writes the report on the branch,
 * runs a rollback. No jobs: the task is done. Each of them is an errand, claimed under a fence of its own;
 * what we have in hand when we end is another's, because the database sees that our process has ended.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct job_host;
struct watch;

struct watch_config {
        const struct job_host *host; /* borrowed */
        void (*on_idle)(void *arg);  /* nothing is under way any more */
        void *arg;
};

struct watch *watch_new(const struct watch_config *cfg);
void watch_free(struct watch *w);
/* There may be something: claims until nothing is due. */
void watch_wake(struct watch *w, int64_t process, int64_t epoch);
/* Claims no more, and lets go of what another can go on with; short steps go on to their end. */
void watch_stop(struct watch *w);
bool watch_idle(const struct watch *w);
