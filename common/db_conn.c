/*
 * db_conn.c - makes the connection, prepares the session, and says what follows a loss.
 *
 * Each attempt is a new PGconn: PQreset() would come back without LISTEN, and nobody would notice. While
 * libpq connects it may change its socket at any step (another address, TLS, a second try without), so the
 * watch is made anew around each PQconnectPoll().
 */
#include "common/db_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"

#define CONNECT_TIMEOUT_MS 3000 /* per host: for the handshake, and again for the session's settings */

static void on_socket(void *arg, int fd, unsigned events);

static void watch(struct db *db, unsigned events)
{
        loop_io_free(db->io);
        db->io = loop_io_new(db->loop, PQsocket(db->conn), events, on_socket, db);
}

static void unwatch(struct db *db)
{
        loop_io_free(db->io);
        db->io = NULL;
}

static void lost_with_libpq_error(struct db *db)
{
        struct errinfo err = ERRINFO_INIT;
        db_statement_error(db, &err);
        db_conn_lost(db, &err);
}

/* ---- preparing ---- */

static bool send_settings(struct db *db)
{
        static const char sql[] = "select set_config('statement_timeout', $1, false),"
                                  " set_config('lock_timeout', '2s', false),"
                                  " set_config('idle_in_transaction_session_timeout', '10s', false),"
                                  " set_config('jit', 'off', false), pg_backend_pid() as server_pid";
        _cleanup_(freep) char *timeout = xasprintf("%lld", (long long)db->cfg.statement_timeout_ms);
        return db_statement_send(db, sql, 1, (const char *const[]){timeout});
}

static bool send_listen(struct db *db)
{
        char *channel = PQescapeIdentifier(db->conn, db->cfg.listen_channel, strlen(db->cfg.listen_channel));
        if (channel == NULL)
                return false;
        _cleanup_(freep) char *sql = xasprintf("listen %s", channel);
        PQfreemem(channel);
        return db_statement_send(db, sql, 0, NULL);
}

/* A process may have several connections; one loop, so a plain counter does. */
void db_conn_count(struct db *db, bool is_up)
{
        static int64_t n_up;
        n_up += (int64_t)is_up - (int64_t)db->counted;
        db->counted = is_up;
        metrics_set(METRIC_DB_UP, n_up);
}

static void up(struct db *db)
{
        loop_timer_disarm(db->timer);
        db_set_state(db, DB_IDLE);
        db->n_failed = 0;
        db->up_since_ms = loop_now_ms(db->loop);
        db_conn_count(db, true);
        if (db->was_up)
                metrics_count(METRIC_DB_RECONNECTS, 1);
        db->was_up = true;
        db_tell(db, DB_TELL_UP);
}

/* A pooler names a server process in the handshake that does not exist. Behind one LISTEN would stay with a
 * session that is not ours, and wake whoever has it then. */
static bool is_pooled(const struct db *db)
{
        const char *pid = PQgetvalue(db->answer.ok, 0, PQfnumber(db->answer.ok, "server_pid"));
        return strtol(pid, NULL, 10) != PQbackendPID(db->conn);
}

static void prepare(struct db *db)
{
        bool sent;
        if (db->prepared == 0) {
                sent = send_settings(db);
        } else if (db->prepared == 1 && db->cfg.listen_channel != NULL && !db->pooled) {
                sent = send_listen(db);
        } else {
                up(db);
                return;
        }
        if (!sent)
                lost_with_libpq_error(db);
}

static void on_prepare_answer(struct db *db)
{
        (void)db_statement_receive(db); /* a broken connection shows as a broken answer */
        if (!db_statement_read(db))
                return;
        if (db->answer.broken || db->answer.error != NULL) {
                lost_with_libpq_error(db);
                return;
        }
        if (db->prepared == 0)
                db->pooled = is_pooled(db);
        db->prepared++;
        prepare(db);
}

/* ---- connecting ---- */

/* When somebody cancels a commit that waits for its synchronous standby, the server warns, and then reports
 * success. The warning has no SQLSTATE of its own, and its text is translated. */
static bool is_of_lonely_commit(const PGresult *res)
{
        const char *function = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);
        return function != NULL && strcmp(function, "SyncRepWaitForLSN") == 0;
}

/* Notices are not for stderr. What the server says before it closes the connection is worth keeping:
 * afterwards libpq only knows that it is closed. */
static void on_notice(void *arg, const PGresult *res)
{
        struct db *db = arg;
        const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
        const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
        const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
        if (severity == NULL || sqlstate == NULL || text == NULL)
                return;
        db->answer.alone = db->answer.alone || is_of_lonely_commit(res);
        if (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 || db->answer.alone ||
            strncmp(sqlstate, "57P", strlen("57P")) == 0)
                err_set(&db->last_words, sqlstate, "%s", text);
}

static void connected(struct db *db)
{
        (void)PQsetnonblocking(db->conn, 1); /* fails only for a connection that is not there */
        watch(db, LOOP_READ);
        loop_timer_arm(db->timer, CONNECT_TIMEOUT_MS);
        db_set_state(db, DB_PREPARING);
        db->prepared = 0;
        prepare(db);
}

static void connect_step(struct db *db)
{
        unwatch(db); /* before libpq closes the socket: its number may come back as another one */
        switch (PQconnectPoll(db->conn)) {
        case PGRES_POLLING_READING:
                watch(db, LOOP_READ);
                break;
        case PGRES_POLLING_WRITING:
                watch(db, LOOP_WRITE);
                break;
        case PGRES_POLLING_OK:
                connected(db);
                break;
        default:
                lost_with_libpq_error(db);
                break;
        }
}

void db_conn_start(struct db *db)
{
        const struct db_target *t = &db->targets.list[db->target];
        db_set_state(db, DB_CONNECTING);
        err_set(&db->last_words, "", "%s", "");
        db->answered = false;
        db->conn = PQconnectStartParams((const char *const *)t->keywords, (const char *const *)t->values, 0);
        if (db->conn == NULL)
                abort(); /* out of memory */
        PQsetNoticeReceiver(db->conn, on_notice, db);
        if (PQstatus(db->conn) == CONNECTION_BAD) {
                lost_with_libpq_error(db);
                return;
        }
        loop_timer_arm(db->timer, CONNECT_TIMEOUT_MS);
        watch(db, LOOP_WRITE);
}

/* ---- up and running ---- */

static void on_socket(void *arg, int fd, unsigned events)
{
        struct db *db = arg;
        (void)fd;
        (void)events;
        switch (db->state) {
        case DB_CONNECTING:
                connect_step(db);
                break;
        case DB_PREPARING:
                on_prepare_answer(db);
                break;
        case DB_BUSY:
                (void)db_statement_receive(db); /* as above */
                if (db_statement_read(db))
                        db_request_settle(db);
                break;
        default:
                if (!db_statement_receive(db) || db->last_words.text[0] != '\0')
                        lost_with_libpq_error(db);
                break;
        }
}

void db_conn_on_timer(void *arg)
{
        struct db *db = arg;
        if (db->state == DB_DISCONNECTED || db->state == DB_BACKOFF) {
                db_conn_start(db);
                return;
        }
        struct errinfo err = ERRINFO_INIT;
        const char *host = PQhost(db->conn);
        err_set(&err, "", "server at \"%s\" did not %s within %d ms", host != NULL ? host : "",
                db->state == DB_CONNECTING ? "accept the connection" : "answer", CONNECT_TIMEOUT_MS);
        db_conn_lost(db, &err);
}

/* ---- losing it ---- */

void db_conn_close(struct db *db)
{
        loop_timer_disarm(db->timer);
        unwatch(db);
        db_answer_clear(&db->answer);
        PQfinish(db->conn);
        db->conn = NULL;
}

static void next_host(struct db *db)
{
        db->target = (db->target + 1) % db->targets.n;
        db->n_failed++;
}

static void collect_reason(struct db *db, const struct errinfo *why)
{
        if (db->n_failed > 0)
                err_set(&db->down_reason, why->code, "%s; %s", db->down_reason.text, why->text);
        else
                db->down_reason = *why;
}

/* A server that takes us and then fails each statement is no reason to hurry: only a connection is that was
 * of use, or at least lasted. */
static void back_off(struct db *db, bool was_up)
{
        if (was_up && (db->answered || loop_now_ms(db->loop) - db->up_since_ms >= db->backoff.max_ms))
                backoff_reset(&db->backoff);
        db->n_failed = 0;
        db_set_state(db, DB_BACKOFF);
        db->retry_ms = backoff_next_ms(&db->backoff, backoff_random());
        loop_timer_arm(db->timer, db->retry_ms);
        db->tell &= ~(unsigned)(DB_TELL_UP | DB_TELL_NOTIFY);
        db_tell(db, DB_TELL_DOWN);
}

void db_conn_lost(struct db *db, const struct errinfo *why)
{
        struct errinfo reason = *why; /* may be one of ours */
        bool was_up = db->state == DB_IDLE || db->state == DB_BUSY;
        db_conn_close(db);
        db_conn_count(db, false);
        collect_reason(db, &reason);
        /* A former primary without its standby takes connections, and no more. */
        if (!db->answered)
                next_host(db);
        if (!was_up && db->n_failed < db->targets.n) {
                db_set_state(db, DB_DISCONNECTED);
                loop_timer_soon(db->timer);
        } else {
                back_off(db, was_up);
        }
}
