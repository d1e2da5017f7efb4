/*
 * daemon_db.h - a daemon's connection: to the configured database, as the role and under the name of the
 * daemon.
 */
#pragma once

struct daemon;
struct db;
struct db_config;

/* As db_new(), with `conninfo`, `default_user` and `application_name` filled in. `purpose` tells a second
 * connection from the first in the server's lists: "-status"; else it is "". */
int daemon_db(struct daemon *d, const char *purpose, const struct db_config *cfg, struct db **ret_db);
