/* Width, cleaning, cutting and wrapping of text for a terminal; durations. */
#include "ctl/text.h"

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static int setup(void **state)
{
        (void)state;
        text_init();
        return 0;
}

static void test_width(void **state)
{
        static const struct {
                const char *text;
                size_t columns;
        } rows[] = {
                {"", 0},
                {"plain", 5},
                {"na\xc3\xafve", 5},             /* two bytes, one column */
                {"e\xcc\x81", 1},                /* a combining accent takes none */
                {"\xe6\x97\xa5\xe6\x9c\xac", 4}, /* wide characters take two */
                {"\xf0\x9f\x9a\x80", 2},         /* so does a rocket */
                {"a\033[31mb", 7},               /* an escape shows as one replacement */
                {"a\tb\nc", 5},                  /* blanks */
                {"\xff\xfe", 2},                 /* invalid bytes, one each */
                {"\xe2\x80\xae"
                 "abc",
                 4},             /* right-to-left override */
                {"\xc2\x9b", 1}, /* C1 control: CSI in one character */
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(text_width(rows[i].text), rows[i].columns);
}

static void test_clean_lets_nothing_move_the_cursor(void **state)
{
        static const struct {
                const char *text, *clean;
        } rows[] = {
                {"one\ntwo\tthree\r", "one two three "},
                {"a\033[2Jb", "a\xef\xbf\xbd[2Jb"},
                {"\xe2\x80\xae"
                 "abc",
                 "\xef\xbf\xbd"
                 "abc"},
                {"\xc2\x9b"
                 "2J",
                 "\xef\xbf\xbd"
                 "2J"},
                {"\xc3", "\xef\xbf\xbd"},
                {"\xd0\xa1\xd1\x82\xd0\xbe\xd0\xbf", "\xd0\xa1\xd1\x82\xd0\xbe\xd0\xbf"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                text_clean(&sb, rows[i].text);
                assert_string_equal(sb.buf, rows[i].clean);
        }
}

static void test_fit(void **state)
{
        static const struct {
                const char *text;
                size_t width;
                const char *fitted;
                size_t columns;
        } rows[] = {
                {"short", 10, "short", 5},
                {"exactly", 7, "exactly", 7},
                {"too long", 5, "too \xe2\x80\xa6", 5},
                {"too long", 1, "\xe2\x80\xa6", 1},
                {"too long", 0, "", 0},
                {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, "\xe6\x97\xa5\xe2\x80\xa6",
                 3}, /* never half of a wide one */
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                assert_int_equal(text_fit(&sb, rows[i].text, rows[i].width), rows[i].columns);
                assert_string_equal(sb.buf, rows[i].fitted);
        }
}

static void test_wrap(void **state)
{
        static const struct {
                const char *text;
                size_t indent, width;
                const char *wrapped;
        } rows[] = {
                {"one two three", 0, 8, "one two\nthree\n"},
                {"one two three", 2, 10, "  one two\n  three\n"},
                {"unbreakable", 0, 4, "unbreakable\n"},
                {"a b\n\nc", 0, 80, "a b\n\nc\n"},
                {"a\nb", 0, 80, "a b\n"}, /* a single newline is a blank */
                {"a:\n  code  here\nb", 0, 4, "a:\n  code  here\nb\n"},
                {"", 0, 80, ""},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                text_wrap(&sb, rows[i].text, rows[i].indent, rows[i].width);
                assert_string_equal(sb.buf, rows[i].wrapped);
        }
}

static void test_log(void **state)
{
        static const char raw[] = "one\r\n\ttwo\033[1m\0three\x7f\xff\n";
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        (void)state;
        text_log(&sb, raw, sizeof(raw) - 1);
        assert_string_equal(sb.buf, "one\n\ttwo^[[1m^@three^?\xef\xbf\xbd\n");
}

static void test_duration(void **state)
{
        static const struct {
                int64_t seconds;
                const char *text;
        } rows[] = {
                {-5, "0s"},         {0, "0s"},         {59, "59s"},        {60, "1m 00s"},
                {723, "12m 03s"},   {3599, "59m 59s"}, {3600, "1h 00m"},   {11045, "3h 04m"},
                {86399, "23h 59m"}, {86400, "1d 00h"}, {190800, "2d 05h"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                text_duration(&sb, rows[i].seconds);
                assert_string_equal(sb.buf, rows[i].text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_width), cmocka_unit_test(test_clean_lets_nothing_move_the_cursor),
                cmocka_unit_test(test_fit),   cmocka_unit_test(test_wrap),
                cmocka_unit_test(test_log),   cmocka_unit_test(test_duration),
        };
        return cmocka_run_group_tests(tests, setup, NULL);
}
