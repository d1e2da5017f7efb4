/* doctor_database.c - the checks of orchctl doctor that the database answers. */
#include "ctl/doctor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "common/conninfo.h"
#include "common/json_read.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/migrate_plan.h"
#include "ctl/pg.h"
#include "ctl/show.h"
#include "migrations.h"
#include "queries.h"

#define CLOCK_WARNING_MS 1000  /* times in logs of two hosts no longer tell what came first */
#define CLOCK_WRONG_MS   30000 /* certificates and tokens begin to be wrong */

static int built_with(void)
{
        return migrate_version(&sql_migrations[sql_migrations_count - 1]);
}

static void cannot_connect(struct doctor *d, const struct errinfo *err)
{
        _cleanup_(strbuf_deinit) struct strbuf shown = STRBUF_INIT;
        conninfo_show(d->opt->database, &shown);
        doctor_say(d, FINDING_WRONG, shown.buf,
                   "is PostgreSQL running there, and does it let orch_operator in? psql with the same string "
                   "says more; what only the database knows is not checked",
                   "cannot connect: %s", err->text);
}

/* The number of the newest migration that was applied, and of the oldest program that it serves; false, and
 * said, when there is none. */
static bool read_schema(struct doctor *d, int *ret_version, int *ret_oldest)
{
        PGresult *res = pg_query(d->ctl->pg, &Q_SCHEMA_FIT, NULL);
        if (res == NULL) {
                doctor_say(d, FINDING_WRONG, "", "run `orchctl migrate`", "its schema cannot be read: %s",
                           pg_error(d->ctl->pg));
                return false;
        }
        *ret_version = (int)strtol(PQgetvalue(res, 0, 0), NULL, 10);
        *ret_oldest = (int)strtol(PQgetvalue(res, 0, 1), NULL, 10);
        PQclear(res);
        return true;
}

/* False: there is none, and nothing more to ask. */
static bool check_schema(struct doctor *d)
{
        int version = 0, oldest = 0;
        if (!read_schema(d, &version, &oldest))
                return false;
        if (version < built_with())
                doctor_say(d, FINDING_WRONG, "", "run `orchctl migrate`",
                           "its schema is that of migration %d, and this program wants %d", version,
                           built_with());
        else if (oldest > built_with())
                doctor_say(d, FINDING_WRONG, "", "install the release that the database was migrated by",
                           "it serves programs from migration %d on, and this one is of %d", oldest,
                           built_with());
        else if (version > built_with())
                doctor_say(d, FINDING_WARNING, "", "upgrade this host",
                           "it was migrated to %d by a newer release than this one (%d)", version,
                           built_with());
        return true;
}

static void read_facts(struct doctor *d)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        PGresult *res = pg_query(d->ctl->pg, &Q_CTL_DOCTOR, NULL);
        if (res == NULL) {
                doctor_say(d, FINDING_WRONG, "", "run `orchctl migrate`",
                           "it cannot say how the installation is: %s", pg_error(d->ctl->pg));
                return;
        }
        strbuf_addstr(&json, PQgetvalue(res, 0, 0));
        PQclear(res);
        if (show_parse(&json, &d->facts) == EXIT_OK)
                doctor_say(d, FINDING_FINE, "", NULL, "PostgreSQL %s, database %s",
                           show_str(json_root(d->facts), "server"),
                           show_str(json_root(d->facts), "database"));
}

void doctor_database(struct doctor *d)
{
        struct errinfo err = ERRINFO_INIT;
        if (ctl_pg_quiet(d->ctl, &err) < 0) {
                cannot_connect(d, &err);
                return;
        }
        if (check_schema(d))
                read_facts(d);
}

static int64_t wall_ms(void)
{
        struct timespec ts;
        (void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail for this clock */
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The middle of the question is compared: how long it took is no difference. */
void doctor_clock(struct doctor *d)
{
        int64_t before = wall_ms();
        PGresult *res = pg_query(d->ctl->pg, &Q_CTL_CLOCK, NULL);
        int64_t after = wall_ms();
        if (res == NULL) {
                doctor_say(d, FINDING_WRONG, "", NULL, "the database does not say what time it is: %s",
                           pg_error(d->ctl->pg));
                return;
        }
        int64_t off = before + (after - before) / 2 - strtoll(PQgetvalue(res, 0, 0), NULL, 10);
        int64_t by = off < 0 ? -off : off;
        PQclear(res);
        if (by < CLOCK_WARNING_MS)
                doctor_say(d, FINDING_FINE, "", NULL, "this host and the database differ by %" PRId64 " ms",
                           by);
        else
                doctor_say(d, by < CLOCK_WRONG_MS ? FINDING_WARNING : FINDING_WRONG, "",
                           "have both keep time by NTP: timedatectl set-ntp true",
                           "this host's clock is %" PRId64 ".%" PRId64 " s %s the database's", by / 1000,
                           by % 1000 / 100, off > 0 ? "ahead of" : "behind");
}
