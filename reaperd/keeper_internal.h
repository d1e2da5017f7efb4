/*
 * keeper_internal.h - what the parts of a tick share. Of request, op and git one at most is under way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/db.h"
#include "common/run_dir.h"
#include "common/strbuf.h"
#include "reaperd/keeper.h"

#define KEEPER_RUNS_MAX 64 /* of one answer; orch.run_batch() is less */

struct git;
struct git_op;
struct tree_remove;

enum keeper_state {
        KEEPER_IDLE,    /* waits for the timer */
        KEEPER_ROWS,    /* the database removes rows */
        KEEPER_FILES,   /* folders of runs: asked for, removed one after the other, told */
        KEEPER_DEPLOYS, /* folders of deploys and rollbacks, likewise */
        KEEPER_COMMITS, /* commits of runs, likewise, mirror after mirror */
        KEEPER_STOPPED,
};

/* A run of which something goes; in KEEPER_DEPLOYS `run` is a deploy record. */
struct keeper_run {
        int64_t run, job, epoch;
        char *repo;
        bool over; /* nobody will ask for what it left */
        bool seen; /* in this tick; of commits */
        bool done; /* it is gone */
};

struct keeper {
        struct loop *loop;
        struct db *db;
        const struct process_row *row;
        struct git *git;
        char *state_dir;
        int64_t interval_ms, soon_ms;
        enum keeper_state state;
        bool more; /* this tick has left something over: the next comes soon */
        int lock;  /* of the files of this host; -1: not held */
        struct loop_timer *timer;
        struct db_request *request;
        struct tree_remove *op;
        struct git_op *git_op;

        struct keeper_run runs[KEEPER_RUNS_MAX];
        size_t n_runs, next;
        struct run_dir dir; /* of runs[next], in KEEPER_FILES and KEEPER_DEPLOYS */
};

/* What is to be done with the runs that were listed; ends with keeper_listed_done(). */
void keeper_files(struct keeper *k);   /* keeper_files.c: folders of runs, or of deploys */
void keeper_commits(struct keeper *k); /* keeper_commits.c */
void keeper_listed_done(struct keeper *k);

void keeper_ask(struct keeper *k, const struct db_statement *st, const char *const *params, db_result_fn *fn);
const char *keeper_what(const struct keeper *k); /* as the statements call it */
/* First in each callback of keeper_ask(). False: there is no answer, and the tick has been ended. */
bool keeper_heard(struct keeper *k, const struct db_result *res);
/* Our row, as parameters; valid until the next call. */
const char *keeper_process(const struct keeper *k);
const char *keeper_epoch(const struct keeper *k);
