/*
 * preflight.h - before jobs are claimed: which agents can be started on this host (J-5), and what its labels
 * are (S-7).
 *
 * A look is cheap: it asks the file system for the first word of each role's command. What it finds is told
 * to the database when it has changed, and held against this worker's claims there; so a missing agent costs
 * no attempt, and `orchctl why` names host and command.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db;
struct errinfo;
struct loop;
struct options;
struct preflight;

/* Whether the agent of a role could be started: 0, or -errno with the reason. */
int preflight_check(const struct options *opt, const char *role, struct errinfo *err);

struct preflight *preflight_new(struct loop *loop, struct db *db); /* borrowed */
void preflight_free(struct preflight *p);                          /* NULL is fine */
/* The next call looks, however short ago the last look was. */
void preflight_again(struct preflight *p);
/* Whether there is room in state_dir for a job, as of now: bytes and inodes, with hysteresis. The next look
 * tells when that has changed. */
bool preflight_has_room(struct preflight *p, const struct options *opt);
/* Looks if it is time, and tells what has changed for the process (id, epoch). Claims that are sent later
 * come after it. */
void preflight_look(struct preflight *p, const struct options *opt, int64_t process, int64_t epoch);
