/*
 * disk_watch.h - looks at the room on the disks of this host, and tells the database. What is low, and
 * who is alerted of it, is decided there (sql/code/66_host_watch.sql), so that a restart changes nothing.
 */
#pragma once

#include "common/sweeper.h"

struct disk_watch;

struct disk_watch *disk_watch_new(const struct sweep_config *cfg);
void disk_watch_free(struct disk_watch *w); /* NULL is fine */
void disk_watch_wake(struct disk_watch *w); /* our row lives: look now, and then at every interval */
void disk_watch_reload(struct disk_watch *w, const struct options *opt);
void disk_watch_stop(struct disk_watch *w);
