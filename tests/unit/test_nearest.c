/* "Did you mean": edit distance, and when a name is near enough. */
#include "common/nearest.h"

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_distance(void **state)
{
        static const struct {
                const char *a, *b;
                unsigned distance;
        } rows[] = {
                {"", "", 0},
                {"", "abc", 3},
                {"status", "status", 0},
                {"status", "statsu", 1},
                {"status", "satus", 1},
                {"status", "stattus", 1},
                {"status", "stbtus", 1},
                {"ab", "ba", 1},
                {"why", "log", 3},
                {"queue", "que", 2},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(nearest_distance(rows[i].a, rows[i].b), rows[i].distance);
                assert_int_equal(nearest_distance(rows[i].b, rows[i].a), rows[i].distance);
        }
}

static void test_only_near_names_are_offered(void **state)
{
        static const char *const names[] = {"status", "queue", "why", "migrate", "item create", "completion"};
        static const struct {
                const char *word, *name;
        } rows[] = {
                {"statsu", "status"},
                {"migrat", "migrate"},
                {"qeueu", NULL},
                {"wyh", "why"},
                {"xyz", NULL},
                {"", NULL},
                {"item craete", "item create"},
                {"comp", "completion"}, /* what a name begins with */
                {"c", NULL},            /* one letter says too little */
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct nearest n = NEAREST_INIT;
                for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                        nearest_try(&n, rows[i].word, names[k]);
                if (rows[i].name == NULL)
                        assert_null(n.name);
                else
                        assert_string_equal(n.name, rows[i].name);
        }
}

static void test_a_long_word_is_no_slip(void **state)
{
        char word[1000];
        struct nearest n = NEAREST_INIT;
        (void)state;
        for (size_t i = 0; i < sizeof(word); i++)
                word[i] = 'a';
        word[sizeof(word) - 1] = '\0';
        nearest_try(&n, word, "status");
        assert_null(n.name);
        assert_int_equal(nearest_distance(word, word), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_distance),
                cmocka_unit_test(test_only_near_names_are_offered),
                cmocka_unit_test(test_a_long_word_is_no_slip),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
