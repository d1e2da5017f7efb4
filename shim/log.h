/*
 * log.h - the agent's output on disk, bounded, readable while it grows (J-9).
 *
 * While the agent runs:
 *     log          the first half of the bound; only ever appended to
 *     log.tail     what comes after it, up to another half; then it is renamed
 *     log.tail.1   the log.tail before the present one; the one before that is gone
 *
 * A reader follows `log` as `tail -f` does, then `log.tail` as `tail -F` does. After the end there is `log`
 * alone: head, a line that says how many bytes are missing, tail; or just all of it when it fits. On disk is
 * at most one and a half times the bound, and twice the bound for the moment in which the files are joined.
 *
 * The agent is never held up by the disk: what cannot be written is dropped and counted as missing. A shim
 * that is killed while it joins the files leaves the tails beside a `log` that has begun to repeat them; its
 * status is then missing too.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct log {
        int dir_fd;   /* borrowed */
        int head_fd;  /* log */
        int tail_fd;  /* log.tail, or -1 */
        int prev_fd;  /* log.tail.1, or -1 */
        int64_t half; /* bound of the head, and of each tail file */
        int64_t head_len, tail_len, prev_len;
        int64_t total;  /* what the agent wrote */
        int head_error; /* errno that ended the head early */
};

/* -EEXIST: this run folder has had its run. Else 0 or -errno. */
int log_open(struct log *log, int dir_fd, int64_t max_bytes);
void log_append(struct log *log, const char *data, size_t len);
/* Joins the files and makes them durable; what fails is lost, not fatal. Nothing may be appended after it. */
void log_finish(struct log *log);
