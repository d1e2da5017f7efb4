/* timer_heap.c - the heap behind the loop's timers. Invariant: nodes[i]->place == i + 1, and no child before
 * its parent. */
#include "common/timer_heap.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

static bool before(const struct timer_node *a, const struct timer_node *b)
{
        return a->deadline_ms != b->deadline_ms ? a->deadline_ms < b->deadline_ms : a->order < b->order;
}

static void put(struct timer_heap *h, size_t i, struct timer_node *node)
{
        h->nodes[i] = node;
        node->place = i + 1;
}

static void sift_up(struct timer_heap *h, size_t i, struct timer_node *node)
{
        while (i > 0 && before(node, h->nodes[(i - 1) / 2])) {
                put(h, i, h->nodes[(i - 1) / 2]);
                i = (i - 1) / 2;
        }
        put(h, i, node);
}

static void sift_down(struct timer_heap *h, size_t i, struct timer_node *node)
{
        for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
                if (child + 1 < h->n && before(h->nodes[child + 1], h->nodes[child]))
                        child++;
                if (!before(h->nodes[child], node))
                        break;
                put(h, i, h->nodes[child]);
        }
        put(h, i, node);
}

void timer_heap_deinit(struct timer_heap *h)
{
        free(h->nodes);
        *h = (struct timer_heap){0};
}

void timer_heap_add(struct timer_heap *h, struct timer_node *node, int64_t deadline_ms)
{
        assert(!timer_node_queued(node));
        if (h->n == h->alloc) {
                h->alloc = h->alloc > 0 ? 2 * h->alloc : 16;
                h->nodes = xrealloc(h->nodes, h->alloc * sizeof(struct timer_node *));
        }
        node->deadline_ms = deadline_ms;
        node->order = ++h->last_order;
        sift_up(h, h->n++, node);
}

void timer_heap_remove(struct timer_heap *h, struct timer_node *node)
{
        if (!timer_node_queued(node))
                return;
        size_t i = node->place - 1;
        struct timer_node *last = h->nodes[--h->n];
        node->place = 0;
        if (last == node)
                return;
        /* The last node fills the gap; seen from there it may belong higher or lower. */
        if (i > 0 && before(last, h->nodes[(i - 1) / 2]))
                sift_up(h, i, last);
        else
                sift_down(h, i, last);
}

struct timer_node *timer_heap_first(const struct timer_heap *h)
{
        return h->n > 0 ? h->nodes[0] : NULL;
}
