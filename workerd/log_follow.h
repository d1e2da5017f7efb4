/*
 * log_follow.h - reads the log of a run (shim/log.h) as it grows, each byte once.
 *
 * While the agent runs the shim writes `log`, then `log.tail`, which it renames when it is full; at the end
 * it joins what it has kept in `log`. Small reads from a local disk: they do not go through the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_follow;

struct log_follow_fns {
        void (*data)(void *arg, const char *data, size_t len);
        void (*gap)(void *arg); /* what comes does not follow on what came */
        void *arg;
};

struct log_follow *log_follow_new(const char *log_path, const struct log_follow_fns *fns);
void log_follow_free(struct log_follow *f);
/* Reads at most about `max` bytes of what has come. True: there may be more. */
bool log_follow_read(struct log_follow *f, size_t max);
/* The run is over, and the files are joined: what has not been read is in `log`. `total`: what the agent
 * wrote. To be called once, before the last log_follow_read() calls. */
void log_follow_joined(struct log_follow *f, int64_t total);
