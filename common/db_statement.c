/*
 * db_statement.c - one statement on the wire, from sending it until the server is ready for the next.
 *
 * In the extended protocol the server reports a statement as complete before it commits; only "ready for
 * query" says that the commit is done. libpq shows that as the end of the results, so nothing counts before
 * that end, and an error after a good result is what became of the statement.
 */
#include "common/db_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/loop.h"

/* What libpq may still return once the connection is gone is at most two results, without waiting. */
#define RESULTS_OF_A_BROKEN_CONNECTION 8

void db_answer_clear(struct db_answer *a)
{
        PQclear(a->ok);
        PQclear(a->error);
        *a = (struct db_answer){.ok = NULL};
}

const char *db_answer_sqlstate(const struct db_answer *a)
{
        return PQresultErrorField(a->error, PG_DIAG_SQLSTATE); /* NULL for no result too */
}

static bool flush(struct db *db)
{
        int unsent = PQflush(db->conn);
        loop_io_set(db->io, LOOP_READ | (unsent > 0 ? LOOP_WRITE : 0u));
        return unsent >= 0;
}

/* Several notifications are one hint, and there is only one channel. */
static void take_notifications(struct db *db)
{
        PGnotify *notify;
        while ((notify = PQnotifies(db->conn)) != NULL) {
                PQfreemem(notify);
                if (db->state != DB_PREPARING) /* when it is over, the owner scans anyway */
                        db_tell(db, DB_TELL_NOTIFY);
        }
}

bool db_statement_send(struct db *db, const char *sql, int n_params, const char *const *params)
{
        db_answer_clear(&db->answer);
        if (PQsendQueryParams(db->conn, sql, n_params, NULL, params, NULL, NULL, 0) == 0)
                return false;
        /* What could not be written for good shows when the answer is read, with the server's reason if it
         * gave one. */
        (void)flush(db);
        return true;
}

bool db_statement_receive(struct db *db)
{
        if (PQconsumeInput(db->conn) == 0 || !flush(db))
                db->answer.broken = true;
        take_notifications(db);
        return !db->answer.broken;
}

static void keep(struct db_answer *a, PGresult *res)
{
        ExecStatusType status = PQresultStatus(res);
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
                PQclear(a->ok);
                a->ok = res;
        } else if (status == PGRES_FATAL_ERROR && a->error == NULL) {
                a->error = res;
        } else {
                /* COPY and the like, which no statement of ours asks for and which never ends by itself */
                if (status != PGRES_FATAL_ERROR)
                        a->broken = true;
                PQclear(res);
        }
}

bool db_statement_read(struct db *db)
{
        struct db_answer *a = &db->answer;
        for (int n = 0; a->broken ? n < RESULTS_OF_A_BROKEN_CONNECTION : !PQisBusy(db->conn); n++) {
                PGresult *res = PQgetResult(db->conn);
                if (res == NULL) {
                        take_notifications(db);
                        return true;
                }
                keep(a, res);
        }
        return a->broken;
}

void db_statement_error(const struct db *db, struct errinfo *err)
{
        const PGresult *res = db->answer.error;
        const char *sqlstate = db_answer_sqlstate(&db->answer);
        const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
        if (sqlstate != NULL)
                err_set(err, sqlstate, "%s%s%s%s", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY),
                        hint != NULL ? " (hint: " : "", hint != NULL ? hint : "", hint != NULL ? ")" : "");
        else if (db->last_words.text[0] != '\0')
                *err = db->last_words;
        else if (PQerrorMessage(db->conn)[0] != '\0')
                err_set(err, "", "%s", PQerrorMessage(db->conn));
        else
                err_set(err, "", "the server answered with something other than rows");
}
