/* What becomes of foreign text in an errinfo. */
#include "common/err.h"

#include <string.h>

#include "common/mem.h"
#include "common/utf8.h"
#include "tests/unit/cm.h"

static void test_one_line(void **state)
{
        static const struct {
                const char *in, *out;
        } rows[] = {
                {"plain", "plain"},
                {"connection refused\n", "connection refused"},
                {"two\nlines\r\n", "two lines"},
                {"cr\rlf\r\nend", "cr lf  end"},
                {"\n", ""},
                {"", ""},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct errinfo e = ERRINFO_INIT;
                err_set(&e, "08006", "%s", rows[i].in);
                assert_string_equal(e.text, rows[i].out);
                assert_string_equal(e.code, "08006");
        }
}

static void test_cut_is_marked_and_whole(void **state)
{
        struct errinfo e = ERRINFO_INIT;
        char longest[sizeof(e.text)], too_long[2 * sizeof(e.text)];
        (void)state;

        memset(longest, 'x', sizeof(longest));
        longest[sizeof(longest) - 1] = '\0';
        err_set(&e, NULL, "%s", longest);
        assert_string_equal(e.text, longest);

        /* Two-byte characters at odd and at even offsets: one of the two would be cut in its middle. */
        for (size_t shift = 0; shift < 2; shift++) {
                memset(too_long, 0, sizeof(too_long));
                memset(too_long, 'a', shift);
                for (size_t i = shift; i + 2 < sizeof(too_long); i += 2)
                        memcpy(too_long + i, "\xc3\xa9", 2);
                err_set(&e, NULL, "%s", too_long);
                size_t len = strlen(e.text);
                assert_true(len < sizeof(e.text) && len > sizeof(e.text) - 6);
                assert_string_equal(e.text + len - 3, "...");
                for (size_t i = 0; i < len;) {
                        uint32_t c;
                        size_t n = utf8_decode(e.text + i, len - i, &c);
                        assert_true(n > 0);
                        i += n;
                }
        }
}

static void test_may_use_itself(void **state)
{
        struct errinfo e = ERRINFO_INIT;
        (void)state;
        err_set(&e, "42P01", "no such table");
        err_set(&e, e.code, "cannot look: %s", e.text);
        assert_string_equal(e.text, "cannot look: no such table");
        assert_string_equal(e.code, "42P01");
        err_set(&e, NULL, "other");
        assert_string_equal(e.code, "");
        err_set(&e, "a code that is much too long", "other");
        assert_int_equal(strlen(e.code), sizeof(e.code) - 1);
        err_set(NULL, "x", "nobody asked");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_line),
                cmocka_unit_test(test_cut_is_marked_and_whole),
                cmocka_unit_test(test_may_use_itself),
        };
        return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
