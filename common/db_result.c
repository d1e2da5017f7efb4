/* db_result.c - reads results and error codes. Pure: no connection, no state. */
#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "common/db.h"
#include "common/mem.h"

int db_rows(const struct db_result *res)
{
        return res->pg != NULL ? PQntuples(res->pg) : 0;
}

const char *db_text(const struct db_result *res, int row, const char *column)
{
        int field = PQfnumber(res->pg, column);
        assert(field >= 0 && row >= 0 && row < PQntuples(res->pg));
        return PQgetisnull(res->pg, row, field) ? NULL : PQgetvalue(res->pg, row, field);
}

const char *db_text_or_empty(const struct db_result *res, int row, const char *column)
{
        const char *text = db_text(res, row, column);
        return text != NULL ? text : "";
}

int64_t db_int(const struct db_result *res, int row, const char *column, int64_t if_null)
{
        const char *text = db_text(res, row, column);
        if (text == NULL)
                return if_null;
        char *end;
        errno = 0;
        long long n = strtoll(text, &end, 10);
        assert(end != text && *end == '\0' &&
               errno == 0); /* the column is no integer: a bug, as an unknown one */
        return n;
}

bool db_bool(const struct db_result *res, int row, const char *column)
{
        const char *text = db_text(res, row, column);
        assert(text == NULL || strcmp(text, "t") == 0 || strcmp(text, "f") == 0);
        return text != NULL && text[0] == 't';
}

char *db_bytea_hex(const void *data, size_t len)
{
        static const char digits[] = "0123456789abcdef";
        const unsigned char *bytes = data;
        char *text = xmalloc(2 * len + sizeof("\\x")), *p = text;
        *p++ = '\\';
        *p++ = 'x';
        for (size_t i = 0; i < len; i++) {
                *p++ = digits[bytes[i] >> 4];
                *p++ = digits[bytes[i] & 0xF];
        }
        *p = '\0';
        return text;
}

enum db_advice db_advice(const char *sqlstate)
{
        static const struct {
                const char *prefix;
                enum db_advice advice;
        } rows[] = {
                {"08", DB_ADVICE_RECONNECT}, /* connection exception */
                {"57P0",
                 DB_ADVICE_RECONNECT}, /* the server or this session is being shut down, or not up yet */
                {"53", DB_ADVICE_RECONNECT},    /* out of memory, disk or connections */
                {"25006", DB_ADVICE_RECONNECT}, /* read-only: not the primary any more */
                {"40001", DB_ADVICE_RETRY},     /* serialization failure */
                {"40P01", DB_ADVICE_RETRY},     /* deadlock */
        };
        for (size_t i = 0; sqlstate != NULL && i < ARRAY_SIZE(rows); i++)
                if (strncmp(sqlstate, rows[i].prefix, strlen(rows[i].prefix)) == 0)
                        return rows[i].advice;
        return DB_ADVICE_NONE;
}
