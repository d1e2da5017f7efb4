/* test_silence.c - how long somebody has been silent, on a clock that the test sets (R-6, T-2). */
#include "tests/unit/cm.h"

#include <string.h>

#include "common/mem.h"
#include "reaperd/silence.h"

#define GAP_MS 15000

/* Looks at one process: asked and answered when, what its count was, and the silence that this proves. */
struct look {
        int64_t asked_ms, answered_ms;
        int64_t count; /* NOBODY: it was not in the list */
        int64_t silent_ms;
};
#define NOBODY (-1)

static void test_silence(void **state)
{
        static const struct {
                const char *what;
                struct look looks[6]; /* up to one that was asked at 0 */
        } rows[] = {
                {"heard for the first time", {{1000, 1001, 5, 0}}},
                {"stands still", {{1000, 1001, 5, 0}, {3000, 3001, 5, 1999}, {5000, 5001, 5, 3999}}},
                {"beats", {{1000, 1001, 5, 0}, {3000, 3001, 6, 0}, {5000, 5001, 6, 1999}}},
                {"a count that went back is a count that moved",
                 {{1000, 1001, 5, 0}, {3000, 3001, 4, 0}, {5000, 5001, 4, 1999}}},
                {"an answer that took its time says nothing of that time",
                 {{1000, 4000, 5, 0}, {5000, 14000, 5, 1000}, {15000, 15001, 5, 11000}}},
                {"we were stopped between question and answer",
                 {{1000, 1001, 5, 0}, {3000, 90000, 5, 1999}, {91000, 91001, 5, 89999}}},
                {"as long a pause as may be", {{1000, 1001, 5, 0}, {16001, 16002, 5, 15000}}},
                {"a gap: counted anew", {{1000, 1001, 5, 0}, {16002, 16003, 5, 0}, {18003, 18004, 5, 2000}}},
                {"not in the list for one look: counted anew",
                 {{1000, 1001, 5, 0}, {2000, 2001, NOBODY, 0}, {3000, 3001, 5, 0}, {4000, 4001, 5, 999}}},
                {"a clock that went back proves nothing",
                 {{9000, 9001, 5, 0}, {3000, 3001, 5, 0}, {10000, 10001, 5, 999}}},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct silence *s = xcalloc(1, sizeof(*s));
                for (const struct look *l = rows[i].looks; l->asked_ms != 0; l++) {
                        silence_look(s, l->asked_ms, l->answered_ms, GAP_MS);
                        int64_t silent = l->count != NOBODY ? silence_hear(s, 7, l->count) : 0;
                        if (silent != l->silent_ms)
                                fail_msg("%s: look at %ld: silent for %ld ms, not %ld", rows[i].what,
                                         (long)l->asked_ms, (long)silent, (long)l->silent_ms);
                }
                freep(&s);
        }
}

/* Each is counted for itself. */
static void test_many(void **state)
{
        struct silence *s = xcalloc(1, sizeof(*s));
        (void)state;
        for (int64_t look = 1; look <= 3; look++) {
                silence_look(s, look * 1000, look * 1000, GAP_MS);
                for (int64_t id = 0; id < 100; id++)
                        assert_int_equal(silence_hear(s, id, id % 2 == 0 ? 1 : look),
                                         id % 2 == 0 ? (look - 1) * 1000 : 0);
        }
        freep(&s);
}

/* What is beyond the bound is never silent, and does not disturb the others. */
static void test_bounded(void **state)
{
        struct silence *s = xcalloc(1, sizeof(*s));
        (void)state;
        for (int64_t look = 1; look <= 3; look++) {
                silence_look(s, look * 1000, look * 1000, GAP_MS);
                for (int64_t id = 0; id < SILENCE_SUBJECTS_MAX + 10; id++)
                        assert_int_equal(silence_hear(s, id, 1),
                                         id < SILENCE_SUBJECTS_MAX ? (look - 1) * 1000 : 0);
        }
        freep(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_silence),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_bounded),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
