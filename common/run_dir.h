/*
 * run_dir.h - the names of the things on disk that belong to one run, one mirror, one job.
 *
 *     STATE/runs/JOB-EPOCH/   task.md tree/ home/ tmp/ index log log.tail status
 *     STATE/mirrors/REPO.git
 *     STATE/locks/job-JOB
 *     STATE/deploys/RECORD/   tree/ home/ tmp/ log status: a deploy or rollback command, which is no run of a
 * job STATE/locks/deploy-RECORD STATE/reports/WHAT-ID/  tree/ index: where something is prepared for a watch
 * in production
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct run_dir {
        char *path; /* STATE/runs/JOB-EPOCH */
        char *tree, *home, *tmp, *index, *task_file, *log, *status;
        char *lock; /* STATE/locks/job-JOB */
};
#define RUN_DIR_INIT                                                                                         \
        {                                                                                                    \
                .path = NULL                                                                                 \
        }

void run_dir_names(struct run_dir *rd, const char *state_dir, int64_t job, int64_t epoch);
/* Of the record that has this folder; its lock is beside, also when the suite was configured anew meanwhile.
 */
void run_dir_names_deploy(struct run_dir *rd, const char *path);
void run_dir_names_report(struct run_dir *rd, const char *state_dir, const char *what, int64_t id);
void run_dir_deinit(struct run_dir *rd);
/* Makes the folder with home/ and tmp/, private to us; 0 or -errno (-EEXIST: there is one already, of an
 * earlier life of this claim; remove it first). Makes the parents and the lock's folder. */
int run_dir_create(const struct run_dir *rd, struct errinfo *err);
/* Whether the job's lock is held, as by a shim for as long as anything of its agent may live: 1, 0, or -errno
 * when that cannot be told. A lock that was never made is free. */
int run_dir_is_locked(const struct run_dir *rd);
/* Whether the folder is one, of our own user, and no link to another. */
bool run_dir_is_ours(const struct run_dir *rd);
/* Calls fn for each entry of STATE/runs that is named JOB-EPOCH, whatever it is. */
void run_dir_each(const char *state_dir, void (*fn)(void *arg, int64_t job, int64_t epoch), void *arg);
/* "STATE/mirrors/REPO.git", to be freed; NULL for a name that is not [A-Za-z0-9._-]+ or begins with a dot. */
char *run_dir_mirror(const char *state_dir, const char *repo);
