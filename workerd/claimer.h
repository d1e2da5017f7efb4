/*
 * claimer.h - claims what is due of one kind, again and again, until nothing is: looks, effects, cards,
 * errands.
 *
 * Embedded in its owner, who keeps what was claimed, and how many at once. One claim is under way at a time.
 * A wake that comes meanwhile may be about what that claim did not see yet: when it brings nothing, another
 * one follows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"

struct db;
struct db_request;
struct db_result;
struct db_statement;

struct claimer_config {
        struct db *db;                        /* borrowed, as the statement is */
        const struct db_statement *statement; /* $1 process, $2 epoch, $3 how many at most */
        struct log_field failed;              /* the event of a claim that the database has refused */
        size_t at_once;                       /* room() when nothing that was claimed is in hand */
        size_t (*room)(const void *arg);      /* for how many more; 0: the first that ends claims again */
        void (*take)(void *arg, const struct db_result *res, int row);
        void *arg;                       /* of the two above */
        void (*on_idle)(void *idle_arg); /* nothing is in hand any more, and no claim under way */
        void *idle_arg;
};

/* The owner reads `stopped`; the rest is claimer.c's. */
struct claimer {
        struct claimer_config cfg;
        int64_t process, epoch;
        bool stopped;
        bool woken;                 /* since the claim that is under way was sent */
        struct db_request *request; /* NULL when idle */
};

void claimer_init(struct claimer *c, const struct claimer_config *cfg);
void claimer_deinit(struct claimer *c);
/* There may be something. Until the next call `process` and `epoch` are ours. */
void claimer_wake(struct claimer *c, int64_t process, int64_t epoch);
/* Something that was claimed is no longer in hand: claims more, or says that all is idle. */
void claimer_next(struct claimer *c);
void claimer_stop(struct claimer *c); /* no claim any more; the rows of one under way still come */
bool claimer_idle(const struct claimer *c);
