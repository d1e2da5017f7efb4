/* daemon_db.c - see daemon_db.h. */
#include "common/daemon_db.h"

#include "common/daemon.h"
#include "common/db.h"
#include "common/mem.h"
#include "common/options.h"

int daemon_db(struct daemon *d, const char *purpose, const struct db_config *cfg, struct db **ret_db)
{
        _cleanup_(freep) char *user = xasprintf("orch_%s", daemon_name(d));
        _cleanup_(freep) char *name = xasprintf("%s%s/%s", daemon_name(d), purpose, daemon_host(d));
        struct db_config full = *cfg;
        full.conninfo = daemon_options(d)->database;
        full.default_user = user;
        full.application_name = name;
        return db_new(daemon_loop(d), &full, ret_db);
}
