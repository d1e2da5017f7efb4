/*
 * migrate_plan.h - what a migration would do: the embedded files against the rows of orch.schema_migration.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct sql_file;

/* One row of orch.schema_migration, in the order of their versions. */
struct migrate_applied {
        int version;
        const char *name;
        const char *sha256;
};

enum migrate_plan_outcome {
        MIGRATE_PLAN_OK = 0,
        MIGRATE_PLAN_NEWER = 1,   /* the database has a migration that this program does not know */
        MIGRATE_PLAN_CHANGED = 2, /* a migration was edited after it had been applied */
        MIGRATE_PLAN_GAP = 3,     /* a later migration was applied without an earlier one */
};

/* 12 for "0012_name.sql". */
int migrate_version(const struct sql_file *file);
/* How many of the files are applied, always the first ones; or an outcome above 0 with the reason in `err`.
 */
int migrate_plan(const struct sql_file *files, size_t n_files, const struct migrate_applied *applied,
                 size_t n_applied, size_t *ret_done, struct errinfo *err);
/* One checksum over names and checksums of all files, in hexadecimal. */
#define MIGRATE_SHA256_SIZE 65
void migrate_code_sha256(const struct sql_file *files, size_t n_files, char ret[MIGRATE_SHA256_SIZE]);
