/*
 * timer_heap.h - a binary heap of deadlines with removal from its middle. Pure: knows no clock and no
 * callbacks.
 *
 * Nodes are embedded in their owners; the heap borrows them. Equal deadlines come out in the order they went
 * in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer_node {
        int64_t deadline_ms;
        uint64_t order; /* given by timer_heap_add() */
        size_t place;   /* index in the heap, plus one; 0: not in it */
};

struct timer_heap {
        struct timer_node **nodes;
        size_t n, alloc;
        uint64_t last_order;
};

void timer_heap_deinit(struct timer_heap *h); /* the nodes stay their owners' */
void timer_heap_add(struct timer_heap *h, struct timer_node *node, int64_t deadline_ms); /* O(log n) */
void timer_heap_remove(struct timer_heap *h, struct timer_node *node); /* not in it: nothing */
struct timer_node *timer_heap_first(const struct timer_heap *h);       /* NULL: empty */

static inline bool timer_node_queued(const struct timer_node *node)
{
        return node->place > 0;
}
