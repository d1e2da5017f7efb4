/* Lines that begin with a text, however they are cut into pieces. */
#include "shim/line_start.h"

#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static const char prefix[] = "{\"type\":\"result\"";

/* How many pieces of `n` bytes have the beginning of such a line end in them. */
static int count(const char *text, size_t n)
{
        struct line_start l = {.prefix = prefix};
        int seen = 0;
        for (size_t len = strlen(text); len > 0;) {
                size_t piece = n < len ? n : len;
                seen += line_start_seen(&l, text, piece);
                text += piece;
                len -= piece;
        }
        return seen;
}

static void test_lines(void **state)
{
        static const struct {
                const char *text;
                int lines;
        } rows[] = {
                {"", 0},
                {"{\"type\":\"result\",\"subtype\":\"success\"}\n", 1},
                {"{\"type\":\"result\"", 1},
                {"{\"type\":\"resul", 0},
                {"{\"type\":\"resul\nt\"", 0},
                {"{\"type\":\"system\"}\n{\"type\":\"result\"}\n", 1},
                {" {\"type\":\"result\"}\n", 0},
                {"it says {\"type\":\"result\"}\n", 0},
                {"{{\"type\":\"result\"}\n", 0},
                {"{\"type\":\"result\"}{\"type\":\"result\"}\n", 1},
                {"\n\n{\"type\":\"result\"}\n\n{\"type\":\"result\"}\n", 2},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                for (size_t n = 1; n < 8; n++)
                        assert_int_equal(count(rows[i].text, n), rows[i].lines);
                assert_int_equal(count(rows[i].text, 1000), rows[i].lines > 0);
        }
}

static void test_without_a_prefix_nothing_is_seen(void **state)
{
        struct line_start l = {.prefix = NULL};
        (void)state;
        assert_false(line_start_seen(&l, "{}\n", 3));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_without_a_prefix_nothing_is_seen),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
