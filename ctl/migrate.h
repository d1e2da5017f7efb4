/*
 * migrate.h - brings the schema of one database to what this program was built with.
 *
 * Migrations are numbered files, each applied once, in one transaction with its row in orch.schema_migration;
 * the files of sql/code (functions and views) are applied again, all in one transaction, whenever they differ
 * from what orch.schema_code says. Stopping it anywhere leaves whole steps only, and running it again goes on
 * from there. The first migration makes the role orch_owner and the schema orch; the ledger of migrations is
 * kept here.
 *
 * One migrator at a time works on a database, under a session's advisory lock that is polled: waiting inside
 * the server would hold a snapshot, and CREATE INDEX CONCURRENTLY waits for those.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ctl/migrate_plan.h"

struct pg;

struct migrate_state {
        struct migrate_applied *applied; /* rows of the ledger */
        char **applied_at;
        size_t n_applied;
        char *code_sha256; /* NULL: never applied */
        bool has_ledger;
};

/* Exit codes below have been explained on standard error. */
int migrate_read_state(struct pg *pg, struct migrate_state *state);
void migrate_state_deinit(struct migrate_state *state);

/* Waits for the lock until the deadline (ctl_now_ms()); EXIT_TEMPORARY when another migrator still holds it.
 */
int migrate_lock(struct pg *pg, int64_t deadline_ms);

struct migrate_report {
        size_t migrations; /* applied by this call */
        bool code;
};
/* Applies what is missing, under the lock. Says each step on standard error. */
int migrate_apply(struct pg *pg, int64_t deadline_ms, struct migrate_report *ret_report);
