/*
 * schema_fit.h - do this program and the database fit? Pure.
 *
 * A program needs the migrations that it was built with, or later ones. A database that was migrated since
 * says which programs it still serves: those of the release before, so that a suite can be upgraded host by
 * host. Who does not fit does nothing but wait: a worker that half understands its rows is worse than none.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

struct db_result;

enum schema_fit {
        SCHEMA_FITS,
        SCHEMA_UNFIT,   /* `err` says what is wrong */
        SCHEMA_UNKNOWN, /* there was no answer to that question */
};

/* Of an answer to schema_fit.sql, for a program that was built with the migration `built_with`. */
enum schema_fit schema_fit(const struct db_result *res, int built_with, struct errinfo *err);
