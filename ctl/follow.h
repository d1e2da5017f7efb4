/*
 * follow.h - reading the log of a run while it grows.
 *
 * The shim (shim/log.h) keeps `log`, the head, and beyond its bound `log.tail`, which is replaced now and
 * then; when the run ends it joins them in `log` and writes `status`. So the head is read until a tail
 * appears, then the tail, and a tail that is replaced or gone is first read to its end.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct strbuf;

struct follow {
        char *path;     /* of `log` */
        int head_fd;    /* -1: not there yet */
        int tail_fd;    /* -1: there is none (yet) */
        off_t head_end; /* where the head ended when the tail appeared; -1: no tail was seen */
        off_t head_at;  /* what was read of it */
};

#define FOLLOW_INIT                                                                                          \
        {                                                                                                    \
                .path = NULL, .head_fd = -1, .tail_fd = -1, .head_end = -1                                   \
        }

void follow_init(struct follow *f, const char *log_path); /* copies */
void follow_deinit(struct follow *f);
/* Appends what is new, at most a few hundred KiB: 0, or -errno (-ENOENT: there is no log). */
int follow_read(struct follow *f, struct strbuf *sb);
/* Whether the shim has written how the run ended: then what follow_read() gives next is the last. */
bool follow_ended(const struct follow *f);
