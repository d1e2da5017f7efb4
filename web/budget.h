/*
 * budget.h - bounds the memory of all request bodies of a process together.
 *
 * A body counts as it arrives, not as it was announced, so announcing costs the others nothing. When the
 * bound is reached, readers wait in order until something was given back; nobody is refused. One of them may
 * go beyond the bound, so that bodies which are all half there cannot keep each other waiting: the sum stays
 * under the bound plus one body.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct loop;
struct budget;

/* One body's part of the budget; embedded in its owner. */
struct budget_claim {
        int64_t bytes;
        bool waiting;
        void (*on_room)(void *arg); /* from the loop: try again; may end its owner, or wait again */
        void *arg;
        TAILQ_ENTRY(budget_claim) link;
};

struct budget *budget_new(struct loop *loop, int64_t limit_bytes);
void budget_free(struct budget *b); /* every claim must have been given back; NULL is fine */
void budget_set_limit(struct budget *b, int64_t limit_bytes);
int64_t budget_used(const struct budget *b);
/* Adds to the claim and is true; or counts nothing, queues the claim for on_room, and is false. */
bool budget_take(struct budget *b, struct budget_claim *c, int64_t bytes);
/* Gives back all that the claim holds, and its place in the queue. Calls nobody before it returns. */
void budget_return(struct budget *b, struct budget_claim *c);
