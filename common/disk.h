/*
 * disk.h - how much room there is below a path, for a user who is not root.
 */
#pragma once

#include <stdint.h>

struct disk_room {
        int64_t bytes;
        int64_t inodes; /* INT64_MAX: the file system does not count them */
};

/* 0 or -errno. */
int disk_look(const char *path, struct disk_room *ret);
