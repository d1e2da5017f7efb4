/*
 * cards.h - sends the live cards of tasks (I-5): claims those that differ from what their messages say, sends
 * or edits, records what came of it.
 *
 * What a card says and when is SQL's business (sql/code/85_card.sql). What came of a call is recorded until
 * the database has answered: so a claim that ends unrecorded is that of a dead worker, and nobody knows
 * whether it was sent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cards;
struct db;
struct http_client;
struct loop;

struct cards_config {
        struct loop *loop;
        struct db *db;
        struct http_client *http;   /* borrowed */
        void (*on_idle)(void *arg); /* nothing is under way any more */
        void *arg;
};

struct cards *cards_new(const struct cards_config *cfg);
void cards_free(struct cards *cards);
/* There may be some: claims and sends until none is due. Until then `process` and `epoch` are ours. */
void cards_wake(struct cards *cards, int64_t process, int64_t epoch);
void cards_stop(struct cards *cards); /* claims no more; what is under way goes on */
bool cards_idle(const struct cards *cards);
