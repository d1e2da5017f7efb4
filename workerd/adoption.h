/*
 * adoption.h - takes over the runs of this host whose worker is gone (J-8).
 *
 * An orphan is a running job without a worker. The database says which there are on this host and in this
 * boot; the disk says what became of each: a held lock is a shim that lives, a status is an agent that has
 * ended. Either is adopted: one statement, which of several workers one only wins, gives the claim a new
 * token. What is then done with the run is the job's. An orphan with neither is the reaper's, which proves it
 * lost. No pid is believed.
 */
#pragma once

#include <stdint.h>

struct adoption;
struct db;
struct db_result;
struct loop;

struct adoption_config {
        struct loop *loop;
        struct db *db;
        const char *state_dir; /* borrowed */
        /* One row of job_adopt, and when it was asked for. What is adopted by an answer that is lost, beats
         * name. */
        void (*on_adopted)(void *arg, const struct db_result *res, int64_t asked_ms);
        void *arg;
};

struct adoption *adoption_new(const struct adoption_config *cfg);
void adoption_free(struct adoption *a);
/* The beat says that there are orphans. Nothing happens while an earlier look is under way. */
void adoption_wake(struct adoption *a, int64_t process, int64_t epoch);
/* No further orphan is looked at; an adoption that is under way still answers. */
void adoption_stop(struct adoption *a);
