/*
 * looks.h - asks services outside what the database wants looked at: claims looks that are due, asks the
 * adapter, hands the answer over. A question changes nothing, so its claim is a lease and nothing is given
 * back: one that is not answered in time is asked again by whoever comes next.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db;
struct http_client;
struct loop;
struct looks;

struct looks_config {
        struct loop *loop;
        struct db *db;
        struct http_client *http;   /* borrowed */
        void (*on_idle)(void *arg); /* nothing is under way any more */
        void *arg;
};

struct looks *looks_new(const struct looks_config *cfg);
void looks_free(struct looks *ls);
/* There may be something: claims and asks until nothing is due. Until then `process` and `epoch` are ours. */
void looks_wake(struct looks *ls, int64_t process, int64_t epoch);
/* Claims no more, and lets go of the questions; answers that are being handed over go on. */
void looks_stop(struct looks *ls);
bool looks_idle(const struct looks *ls);
