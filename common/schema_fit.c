/* schema_fit.c - see schema_fit.h. */
#include "common/schema_fit.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/db.h"
#include "common/mem.h"

/* The server found no such schema, function or table, or no right on it: nothing of a schema that we know. */
static bool is_missing(const char *sqlstate)
{
        static const char *const states[] = {"3F000", "42883", "42P01", "42501"};
        for (size_t i = 0; i < ARRAY_SIZE(states); i++)
                if (strcmp(sqlstate, states[i]) == 0)
                        return true;
        return false;
}

enum schema_fit schema_fit(const struct db_result *res, int built_with, struct errinfo *err)
{
        if (res->outcome == DB_SQL_ERROR && is_missing(res->err.code)) {
                err_set(err, res->err.code, "the database was not migrated to what this program needs");
                return SCHEMA_UNFIT;
        }
        if (res->outcome != DB_OK || db_rows(res) != 1)
                return SCHEMA_UNKNOWN;
        int64_t version = db_int(res, 0, "version", 0), oldest = db_int(res, 0, "oldest", 0);
        if (version < built_with) {
                err_set(err, "", "the database has migration %" PRId64 ", this program needs %d", version,
                        built_with);
                return SCHEMA_UNFIT;
        }
        if (oldest > built_with) {
                err_set(err, "",
                        "the database is newer than this program: it has migration %" PRId64
                        " and serves programs from %" PRId64 " on, this one has %d",
                        version, oldest, built_with);
                return SCHEMA_UNFIT;
        }
        return SCHEMA_FITS;
}
