/* pg.c - libpq, blocking, with errors in the words of a command line. */
#include "ctl/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/conninfo.h"
#include "common/contract.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"

/* No answer to a person's question takes longer; migrations set their own limits. */
#define SESSION_SETTINGS                                                                                     \
        "select set_config('statement_timeout', '30s', false), set_config('client_min_messages', "           \
        "'warning', false)"

struct pg {
        PGconn *conn;
        struct errinfo err; /* code is the SQLSTATE */
        int position;       /* character of the statement it is about, from 1; 0: none */
        char *hint;         /* the server's; NULL: none */
};

struct conn_words {
        const char *keys[16];
        const char *values[16];
        size_t n;
};

static void add_word(struct conn_words *w, const char *key, const char *value)
{
        w->keys[w->n] = key;
        w->values[w->n++] = value;
}

/* The value of a keyword of the conninfo, or NULL; borrowed from the parsed options. */
static const char *conninfo_value(const PQconninfoOption *parsed, const char *keyword)
{
        for (const PQconninfoOption *o = parsed; o->keyword != NULL; o++)
                if (strcmp(o->keyword, keyword) == 0)
                        return o->val;
        return NULL;
}

static PGconn *connect_words(const char *conninfo, const char *user, const PQconninfoOption *parsed)
{
        struct conn_words w = {.n = 0};
        const char *host = conninfo_value(parsed, "host");
        if (conninfo_value(parsed, "user") == NULL)
                add_word(&w, "user", user);
        if (conninfo_value(parsed, "connect_timeout") == NULL)
                add_word(&w, "connect_timeout", "5");
        if (host != NULL && strchr(host, ',') != NULL &&
            conninfo_value(parsed, "target_session_attrs") == NULL)
                add_word(&w, "target_session_attrs", "read-write");
        /* The defaults notice a silent partition after more than 90 s. */
        add_word(&w, "keepalives_idle", "10");
        add_word(&w, "keepalives_interval", "5");
        add_word(&w, "keepalives_count", "3");
        add_word(&w, "tcp_user_timeout", "10000");
        add_word(&w, "dbname", conninfo);
        add_word(&w, "application_name", "orchctl");
        add_word(&w, "client_encoding", "UTF8");
        add_word(&w, NULL, NULL);
        return PQconnectdbParams(w.keys, w.values, 1);
}

/* Warnings of the server; that it goes away (class 57) is known soon enough. */
static void on_notice(void *arg, const PGresult *res)
{
        const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
        const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
        (void)arg;
        if (text != NULL && (state == NULL || strncmp(state, "57", 2) != 0))
                ctl_note("the database warns: %s", text);
}

int pg_open(const char *conninfo, const char *user, struct pg **ret_pg, struct errinfo *err)
{
        char *why = NULL;
        PQconninfoOption *parsed = PQconninfoParse(conninfo, &why);
        if (parsed == NULL) {
                err_set(err, "", "\"database\" is no connection string: %s", conninfo_reason(conninfo, why));
                PQfreemem(why);
                return -ECONNREFUSED;
        }
        struct pg *pg = xcalloc(1, sizeof(*pg));
        pg->conn = connect_words(conninfo, user, parsed);
        PQconninfoFree(parsed);
        (void)PQsetNoticeReceiver(pg->conn, on_notice, NULL);
        if (PQstatus(pg->conn) == CONNECTION_OK && pg_exec(pg, SESSION_SETTINGS) == 0) {
                *ret_pg = pg;
                return 0;
        }
        err_set(err, "", "%s", PQerrorMessage(pg->conn));
        pg_close(pg);
        return -ECONNREFUSED;
}

void pg_close(struct pg *pg)
{
        if (pg == NULL)
                return;
        PQfinish(pg->conn);
        free(pg->hint);
        free(pg);
}

/* Remembers what went wrong; true when nothing did. */
static bool keep_error(struct pg *pg, const PGresult *res)
{
        freep(&pg->hint);
        pg->hint = NULL;
        pg->err = (struct errinfo)ERRINFO_INIT;
        ExecStatusType status = PQresultStatus(res);
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
                return true;
        const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
        const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
        const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
        err_set(&pg->err, state != NULL ? state : "", "%s", text != NULL ? text : PQerrorMessage(pg->conn));
        pg->hint = hint != NULL && *hint != '\0' ? xstrdup(hint) : NULL;
        const char *position = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
        pg->position = position != NULL ? (int)strtol(position, NULL, 10) : 0;
        return false;
}

PGresult *pg_query(struct pg *pg, const struct db_statement *st, const char *const *params)
{
        PGresult *res = PQexecParams(pg->conn, st->sql, st->n_params, NULL, params, NULL, NULL, 0);
        if (keep_error(pg, res))
                return res;
        PQclear(res);
        return NULL;
}

int pg_exec(struct pg *pg, const char *sql)
{
        PGresult *res = PQexec(pg->conn, sql);
        bool ok = keep_error(pg, res);
        PQclear(res);
        return ok ? 0 : -EIO;
}

int pg_json(struct pg *pg, const struct db_statement *st, const char *const *params, struct strbuf *sb)
{
        PGresult *res = pg_query(pg, st, params);
        if (res == NULL)
                return pg_report(pg);
        bool null = PQntuples(res) == 0 || PQgetisnull(res, 0, 0);
        strbuf_addstr(sb, null ? "null" : PQgetvalue(res, 0, 0));
        PQclear(res);
        return EXIT_OK;
}

const char *pg_error(const struct pg *pg)
{
        return pg->err.text;
}

const char *pg_sqlstate(const struct pg *pg)
{
        return pg->err.code;
}

int pg_server_pid(const struct pg *pg)
{
        return PQbackendPID(pg->conn);
}

bool pg_in_transaction(const struct pg *pg)
{
        return PQtransactionStatus(pg->conn) == PQTRANS_INTRANS;
}

int pg_line(const char *sql, int position)
{
        int line = 1;
        for (int at = 1; *sql != '\0' && at < position; sql++) {
                line += *sql == '\n';
                at += ((unsigned char)sql[1] & 0xc0) != 0x80; /* characters, not bytes */
        }
        return line;
}

void pg_error_where(struct pg *pg, const char *file, const char *sql)
{
        struct errinfo bare = pg->err;
        if (bare.code[0] == '\0')
                return; /* the connection broke: no fault of the file */
        if (pg->position > 0)
                err_set(&pg->err, bare.code, "%s:%d: %s", file, pg_line(sql, pg->position), bare.text);
        else
                err_set(&pg->err, bare.code, "%s: %s", file, bare.text);
}

void pg_fail(struct pg *pg, const char *fmt, ...)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        va_list ap;
        va_start(ap, fmt);
        strbuf_vaddf(&text, fmt, ap);
        va_end(ap);
        err_set(&pg->err, "XX000", "%s", text.buf);
}

/* Schema, table, function or column that is not there: the database is older than this program, or empty. */
static bool is_missing_object(const char *sqlstate)
{
        static const char *const states[] = {"3F000", "42P01", "42883", "42703"};
        for (size_t i = 0; i < ARRAY_SIZE(states); i++)
                if (strcmp(sqlstate, states[i]) == 0)
                        return true;
        return false;
}

int pg_exit_code(const char *sqlstate)
{
        if (strcmp(sqlstate, "OR003") == 0)
                return EXIT_USAGE;
        if (sqlstate[0] == '\0' || db_advice(sqlstate) != DB_ADVICE_NONE || strcmp(sqlstate, "55P03") == 0 ||
            strcmp(sqlstate, "57014") == 0)
                return EXIT_TEMPORARY;
        return EXIT_FAILED;
}

int pg_report(const struct pg *pg)
{
        const char *state = pg->err.code;
        int code = pg_exit_code(state);
        if (is_missing_object(state)) {
                (void)ctl_fail(code, "the database does not have what this release needs: %s", pg->err.text);
                ctl_hint("run `orchctl migrate`");
                return code;
        }
        if (state[0] == '\0')
                return ctl_fail(code, "the connection to the database was lost: %s", pg->err.text);
        if (strncmp(state, "OR", 2) == 0)
                (void)ctl_fail(code, "%s", pg->err.text);
        else
                (void)ctl_fail(code, "%s (SQLSTATE %s)", pg->err.text, state);
        if (pg->hint != NULL)
                ctl_hint("%s", pg->hint);
        return code;
}

bool pg_wait_notify(struct pg *pg, int timeout_ms)
{
        struct pollfd fd = {.fd = PQsocket(pg->conn), .events = POLLIN};
        PGnotify *notify = PQnotifies(pg->conn);
        if (notify == NULL && (poll(&fd, 1, timeout_ms) <= 0 || PQconsumeInput(pg->conn) == 0))
                return false;
        bool came = notify != NULL;
        for (; notify != NULL || (notify = PQnotifies(pg->conn)) != NULL; notify = NULL) {
                came = true;
                PQfreemem(notify);
        }
        return came;
}
