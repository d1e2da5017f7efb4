/* The order in which deadlines come out, whatever is added and removed in between. */
#include "common/timer_heap.h"

#include "common/mem.h"
#include "tests/unit/cm.h"

static uint32_t random_next(uint32_t *seed)
{
        *seed = *seed * 1664525u + 1013904223u;
        return *seed >> 8;
}

static void test_ties_come_in_order(void **state)
{
        struct timer_heap h = {0};
        struct timer_node n[20] = {0};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(n); i++)
                timer_heap_add(&h, &n[i], 5);
        for (size_t i = 0; i < ARRAY_SIZE(n); i++) {
                assert_ptr_equal(timer_heap_first(&h), &n[i]);
                timer_heap_remove(&h, &n[i]);
                assert_false(timer_node_queued(&n[i]));
        }
        assert_null(timer_heap_first(&h));
        timer_heap_remove(&h, &n[0]);
        timer_heap_deinit(&h);
}

/* A thousand random steps against a plain scan of all nodes. */
static void test_against_a_scan(void **state)
{
        struct timer_heap h = {0};
        struct timer_node n[64] = {0};
        uint32_t seed = 42;
        (void)state;
        for (int step = 0; step < 5000; step++) {
                struct timer_node *node = &n[random_next(&seed) % ARRAY_SIZE(n)];
                if (timer_node_queued(node))
                        timer_heap_remove(&h, node);
                else
                        timer_heap_add(&h, node, random_next(&seed) % 16);

                const struct timer_node *least = NULL;
                for (size_t i = 0; i < ARRAY_SIZE(n); i++)
                        if (timer_node_queued(&n[i]) &&
                            (least == NULL || n[i].deadline_ms < least->deadline_ms ||
                             (n[i].deadline_ms == least->deadline_ms && n[i].order < least->order)))
                                least = &n[i];
                assert_ptr_equal(timer_heap_first(&h), least);
                for (size_t i = 1; i < h.n; i++)
                        assert_true(h.nodes[i]->deadline_ms >= h.nodes[(i - 1) / 2]->deadline_ms);
        }
        timer_heap_deinit(&h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ties_come_in_order),
                cmocka_unit_test(test_against_a_scan),
        };
        return cmocka_run_group_tests_name("timer_heap", tests, NULL, NULL);
}
