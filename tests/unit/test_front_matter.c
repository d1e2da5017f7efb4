/* Front matter (P-4): what is read, what is refused, and what is none. */
#include "workerd/front_matter.h"

#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static int parse(const char *text, size_t len, struct front_matter **ret, struct errinfo *err)
{
        *ret = NULL;
        return front_matter_parse(text, len, ret, err);
}

static void test_values(void **state)
{
        static const struct {
                const char *text, *key, *value; /* NULL: absent */
        } rows[] = {
                {"---\nverdict: APPROVED\n---\n", "verdict", "APPROVED"},
                {"---\nverdict: APPROVED\n---", "verdict", "APPROVED"},
                {"---  \nverdict: APPROVED\n---\t\nprose", "verdict", "APPROVED"},
                {"---\r\nverdict: APPROVED\r\n---\r\n", "verdict", "APPROVED"},
                {"\xef\xbb\xbf---\nverdict: APPROVED\n---\n", "verdict", "APPROVED"},
                {"---\nverdict: \"APP\\x52OVED\"\n---\n", "verdict", "APPROVED"},
                {"---\n'verdict': 'it''s'\n---\n", "verdict", "it's"},
                {"---\nverdict:\n---\n", "verdict", ""},
                {"---\nverdict: ~\n---\n", "verdict", "~"},
                {"---\ncode: 0x10\n---\n", "code", "0x10"},
                {"---\n{verdict: APPROVED}\n---\n", "verdict", "APPROVED"},
                {"---\nverdict: [APPROVED]\nother: x\n---\n", "verdict", NULL},
                {"---\nverdict: [APPROVED]\nother: x\n---\n", "other", "x"},
                {"---\nverdict: {a: b}\n---\n", "verdict", NULL},
                {"---\na: {verdict: APPROVED}\n---\n", "verdict", NULL},
                {"---\nVerdict: APPROVED\n---\n", "verdict", NULL},
                {"---\nverdict: APPROVED # sure\n---\n", "verdict", "APPROVED"},
                {"---\na: 1\n---\nverdict: APPROVED\n---\n", "verdict", NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct front_matter *fm;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &fm, &err), FRONT_MATTER_OK);
                const char *value = front_matter_get(fm, rows[i].key);
                assert_int_equal(value == NULL, rows[i].value == NULL);
                if (value != NULL)
                        assert_string_equal(value, rows[i].value);
                front_matter_free(fm);
        }
}

/* M-7: a list is a YAML list of words, or words in a line; anything else in its place is no list. */
static void test_lists(void **state)
{
        static const struct {
                const char *text;
                const char *words; /* joined by a bar; NULL: invalid */
        } rows[] = {
                {"---\nx: y\n---\n", ""},
                {"---\nl:\n---\n", ""},
                {"---\nl: []\n---\n", ""},
                {"---\nl: [a, 'b c']\n---\n", "a|b c|"},
                {"---\nl:\n  - a\n  - b\nx: y\n---\n", "a|b|"},
                {"---\nl: a, b  c\n---\n", "a|b|c|"},
                {"---\nl: a\n---\n", "a|"},
                {"---\nl: {a: b}\n---\n", NULL},
                {"---\nl: [a, [b]]\n---\n", NULL},
                {"---\nl: [a, {b: c}]\nx: y\n---\n", NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct front_matter *fm;
                struct errinfo err = ERRINFO_INIT;
                struct argv words = ARGV_INIT;
                struct strbuf joined = STRBUF_INIT;
                assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &fm, &err), FRONT_MATTER_OK);
                int r = front_matter_list(fm, "l", &words);
                assert_int_equal(r, rows[i].words != NULL ? FRONT_MATTER_OK : FRONT_MATTER_INVALID);
                for (size_t k = 0; k < words.n; k++)
                        strbuf_addf(&joined, "%s|", words.words[k]);
                if (rows[i].words != NULL)
                        assert_string_equal(joined.buf, rows[i].words);
                strbuf_deinit(&joined);
                argv_deinit(&words);
                front_matter_free(fm);
        }
}

static void test_none_and_refused(void **state)
{
#define T(text) text, sizeof(text) - 1
        static const struct {
                const char *text;
                size_t len;
                int r;
        } rows[] = {
                {T(""), FRONT_MATTER_NONE},
                {T("verdict: APPROVED\n"), FRONT_MATTER_NONE},
                {T("\n---\nverdict: APPROVED\n---\n"), FRONT_MATTER_NONE},
                {T(" ---\nverdict: APPROVED\n---\n"), FRONT_MATTER_NONE},
                {T("----\nverdict: APPROVED\n----\n"), FRONT_MATTER_NONE},
                {T("---"), FRONT_MATTER_INVALID},
                {T("---\nverdict: APPROVED\n"), FRONT_MATTER_INVALID},
                {T("---\nverdict: APPROVED\n ---\n"), FRONT_MATTER_INVALID},
                {T("---\n---\n"), FRONT_MATTER_INVALID},
                {T("---\nAPPROVED\n---\n"), FRONT_MATTER_INVALID},
                {T("---\n- verdict\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: 1\na: 2\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: 1\n\"\\x61\": 2\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: &x 1\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: *x\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: !!str 1\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: [!x 1]\n---\n"), FRONT_MATTER_INVALID},
                {T("---\n? [a]\n: 1\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: 1\n...\nb: 2\n---\n"), FRONT_MATTER_INVALID},
                {T("---\n%YAML 1.1\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: \"x\\0y\"\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: x\0y\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: \xff\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: \xed\xa0\x80\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: [1\n---\n"), FRONT_MATTER_INVALID},
                {T("---\na: 1\n\tb: 2\n---\n"), FRONT_MATTER_INVALID},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct front_matter *fm;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(parse(rows[i].text, rows[i].len, &fm, &err), rows[i].r);
                assert_null(fm);
                assert_int_equal(err.text[0] != '\0', rows[i].r == FRONT_MATTER_INVALID);
        }
}

static void add_many(struct strbuf *sb, const char *text, size_t times)
{
        while (times-- > 0)
                strbuf_addstr(sb, text);
}

static void test_bounds(void **state)
{
        static const struct {
                const char *before, *text;
                size_t times;
                const char *after;
                int r;
        } rows[] = {
                {"---\na: 1\n", "# comment\n", 6000, "---\n", FRONT_MATTER_OK},
                {"---\na: 1\n", "# comment\n", 7000, "---\n", FRONT_MATTER_INVALID},
                {"---\na: ", "[", 10, "1", FRONT_MATTER_INVALID},
                {"---\na: ", "[", 60000, "\n---\n", FRONT_MATTER_INVALID},
                {"---\na: ", "{a: ", 15000, "\n---\n", FRONT_MATTER_INVALID},
                {"---\na: ", "- ", 30000, "\n---\n", FRONT_MATTER_INVALID},
                {"---\n", "? ", 30000, "\n---\n", FRONT_MATTER_INVALID},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                struct front_matter *fm;
                struct errinfo err;
                strbuf_addstr(&sb, rows[i].before);
                add_many(&sb, rows[i].text, rows[i].times);
                strbuf_addstr(&sb, rows[i].after);
                assert_int_equal(parse(sb.buf, sb.len, &fm, &err), rows[i].r);
                front_matter_free(fm);
        }
}

static void test_number_of_keys(void **state)
{
        (void)state;
        for (int n = 63; n <= 66; n++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                struct front_matter *fm;
                struct errinfo err;
                strbuf_addstr(&sb, "---\n");
                for (int i = 0; i < n; i++)
                        strbuf_addf(&sb, "key%d: %d\n", i, i);
                strbuf_addstr(&sb, "---\n");
                assert_int_equal(parse(sb.buf, sb.len, &fm, &err),
                                 n <= 64 ? FRONT_MATTER_OK : FRONT_MATTER_INVALID);
                front_matter_free(fm);
        }
}

static void test_where_the_text_begins(void **state)
{
        static const struct {
                const char *text, *rest;
        } rows[] = {
                {"---\na: b\n---\nText", "Text"},
                {"---\r\na: b\r\n---\r\n\r\nText\n---\n", "\r\nText\n---\n"},
                {"---\na: b\n---", ""},
                {"---\na: b\nText", ""},
                {"Text\n---\n", ""},
                {"", ""},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_string_equal(rows[i].text + front_matter_end(rows[i].text, strlen(rows[i].text)),
                                    rows[i].rest);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),           cmocka_unit_test(test_lists),
                cmocka_unit_test(test_none_and_refused), cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_number_of_keys),   cmocka_unit_test(test_where_the_text_begins),
        };
        return cmocka_run_group_tests_name("front_matter", tests, NULL, NULL);
}
