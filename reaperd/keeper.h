/*
 * keeper.h - retention: has the database remove what was kept long enough, and removes from this host what
 * the database says of its runs (J-9, C-3, R-10). What goes, and when, is in sql/code/65_retention.sql.
 *
 * A tick is bounded everywhere; what it leaves over, the next one finds. One tick at a time: of rows in the
 * cluster (the database sees to it), of files on a host (a lock file does, since the reapers of two
 * generations may live at once).
 */
#pragma once

#include "common/sweeper.h"

struct keeper;

struct keeper *keeper_new(const struct sweep_config *cfg);
void keeper_free(struct keeper *k); /* NULL is fine */
void keeper_wake(struct keeper *k); /* our row lives: a tick soon, and then at every interval */
void keeper_reload(struct keeper *k, const struct options *opt);
void keeper_stop(struct keeper *k);
