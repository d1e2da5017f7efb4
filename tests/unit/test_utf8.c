/* Which byte strings are UTF-8, and where a text may be cut. */
#include "common/utf8.h"

#include <string.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_decode(void **state)
{
        static const struct {
                const char *bytes;
                size_t len;
                uint32_t code;
        } rows[] = {
                {"a", 1, 'a'},
                {"\x7f", 1, 0x7F},
                {"\xc2\x80", 2, 0x80},
                {"\xdf\xbf", 2, 0x7FF},
                {"\xe0\xa0\x80", 3, 0x800},
                {"\xed\x9f\xbf", 3, 0xD7FF},
                {"\xee\x80\x80", 3, 0xE000},
                {"\xef\xbf\xbf", 3, 0xFFFF},
                {"\xf0\x90\x80\x80", 4, 0x10000},
                {"\xf4\x8f\xbf\xbf", 4, 0x10FFFF},
                /* refused */
                {"", 0, 0},
                {"\x80", 0, 0},
                {"\xbf", 0, 0},
                {"\xc0\x80", 0, 0},         /* overlong NUL */
                {"\xc1\xbf", 0, 0},         /* overlong */
                {"\xe0\x9f\xbf", 0, 0},     /* overlong */
                {"\xf0\x8f\xbf\xbf", 0, 0}, /* overlong */
                {"\xed\xa0\x80", 0, 0},     /* surrogate */
                {"\xed\xbf\xbf", 0, 0},     /* surrogate */
                {"\xf4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
                {"\xf5\x80\x80\x80", 0, 0}, /* above U+10FFFF */
                {"\xff", 0, 0},             /* no lead byte */
                {"\xc3", 0, 0},             /* cut short */
                {"\xe2\x82", 0, 0},         /* cut short */
                {"\xf0\x9f\x98", 0, 0},     /* cut short */
                {"\xc3(", 0, 0},            /* no continuation */
                {"\xe2\x82(", 0, 0},        /* no continuation */
                {"\xf0\x9f\x98\xc3", 0, 0}, /* no continuation */
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                uint32_t code = 0;
                size_t len = utf8_decode(rows[i].bytes, strlen(rows[i].bytes), &code);
                if (len != rows[i].len || code != rows[i].code)
                        fail_msg("row %zu: length %zu, code point %x", i, len, (unsigned)code);
        }
}

static void test_decode_respects_the_length(void **state)
{
        uint32_t code = 0;
        (void)state;
        assert_int_equal(utf8_decode("\xe2\x82\xac", 2, &code), 0);
        assert_int_equal(utf8_decode("\xe2\x82\xac", 3, &code), 3);
        assert_int_equal(utf8_decode("a", 0, &code), 0);
}

static void test_cut(void **state)
{
        static const struct {
                const char *text;
                size_t max, expect;
        } rows[] = {
                {"abc", 5, 3},
                {"abc", 3, 3},
                {"abc", 2, 2},
                {"", 0, 0},
                {"a\xe2\x82\xac", 4, 4},
                {"a\xe2\x82\xac", 3, 1},
                {"a\xe2\x82\xac", 2, 1},
                {"a\xe2\x82\xac", 1, 1},
                {"\xf0\x9f\x98\x80", 3, 0},
                {"\x80\x80\x80\x80\x80\x80", 5, 2}, /* no text: bounded, whatever it is */
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (utf8_cut(rows[i].text, strlen(rows[i].text), rows[i].max) != rows[i].expect)
                        fail_msg("row %zu: cut at %zu", i,
                                 utf8_cut(rows[i].text, strlen(rows[i].text), rows[i].max));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decode),
                cmocka_unit_test(test_decode_respects_the_length),
                cmocka_unit_test(test_cut),
        };
        return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
