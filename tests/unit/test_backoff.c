/* Bounds of the retry arithmetic. */
#include "common/backoff.h"

#include "common/mem.h"
#include "tests/unit/cm.h"

#define ALMOST_ONE (1.0 - 0x1p-53)

static void test_bounds_by_attempt(void **state)
{
        static const struct {
                int64_t min, max;
                unsigned attempts;
                int64_t lowest, highest;
        } rows[] = {
                {200, 15000, 0, 200, 400},
                {200, 15000, 1, 200, 800},
                {200, 15000, 5, 200, 12800},
                {200, 15000, 6, 200, 15000},
                {200, 15000, 4000000000u, 200, 15000},
                {1000, 1000, 5, 1000, 1000},
                {0, 0, 3, 0, 0},
                {1, INT64_MAX / 4, 200, 1, INT64_MAX / 4},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct backoff b = {
                        .min_ms = rows[i].min, .max_ms = rows[i].max, .attempts = rows[i].attempts};
                assert_int_equal(backoff_next_ms(&b, 0.0), rows[i].lowest);
                assert_int_equal(b.attempts, rows[i].attempts + 1);
                b.attempts = rows[i].attempts;
                int64_t high = backoff_next_ms(&b, ALMOST_ONE);
                assert_true(high <= rows[i].highest && high >= rows[i].highest - rows[i].highest / 1000000);
        }
}

static void test_counts_and_resets(void **state)
{
        struct backoff b = {.min_ms = 10, .max_ms = 40};
        static const int64_t highest[] = {20, 40, 40, 40};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(highest); i++)
                assert_int_equal(backoff_next_ms(&b, ALMOST_ONE), highest[i]);
        backoff_reset(&b);
        assert_int_equal(backoff_next_ms(&b, ALMOST_ONE), 20);
        b.attempts = UINT32_MAX;
        assert_int_equal(backoff_next_ms(&b, ALMOST_ONE), 40);
        assert_int_equal(b.attempts, UINT32_MAX);
}

static void test_random_is_spread(void **state)
{
        int low = 0, high = 0;
        (void)state;
        for (int i = 0; i < 1000; i++) {
                double x = backoff_random();
                assert_true(x >= 0 && x < 1);
                low += x < 0.5;
                high += x >= 0.5;
        }
        assert_true(low > 300 && high > 300); /* a fair coin misses this once in 10^36 runs */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bounds_by_attempt),
                cmocka_unit_test(test_counts_and_resets),
                cmocka_unit_test(test_random_is_spread),
        };
        return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
