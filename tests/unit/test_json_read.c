/* The JSON reader: what it accepts, what it refuses and why, and how it answers. */
#include "common/json_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static const struct json_limits LIMITS = JSON_LIMITS_DEFAULT;

static struct json_doc *parse_ok(const char *text)
{
        struct json_doc *doc = NULL;
        struct errinfo err = ERRINFO_INIT;
        if (json_parse(text, strlen(text), &LIMITS, &doc, &err) != 0)
                fail_msg("%s: %s", text, err.text);
        return doc;
}

static void assert_refused(const char *text, size_t len, const struct json_limits *limits, const char *why)
{
        struct json_doc *doc = NULL;
        struct errinfo err = ERRINFO_INIT;
        int r = json_parse(text, len, limits, &doc, &err);
        if (r != -EINVAL || doc != NULL || strstr(err.text, why) == NULL)
                fail_msg("%.60s: got %d, \"%s\", expected \"%s\"", text, r, err.text, why);
        assert_true(strcmp(err.code, "json") == 0 || strcmp(err.code, JSON_REFUSED) == 0);
}

static void test_accepted(void **state)
{
        static const char *const texts[] = {
                "null",
                "true",
                "false",
                "0",
                "-0",
                "-1",
                "1.5",
                "1e5",
                "1E+5",
                "1e-5",
                "0.0",
                "\"\"",
                "[]",
                "{}",
                " \t\r\n[ ] \n",
                "[[]]",
                "[1,2]",
                "{\"\":0}",
                "{\"a\":{\"a\":1}}",
                "9223372036854775807",
                "-9223372036854775808",
                "1e308",
                "-1.7976931348623157e308",
                "4.9e-324",
                "0e999999999",
                "0.0e-999999",
                "\"\\u0001\"",
                "\"\\ud83d\\ude00\"",
                "\"\\uD834\\uDD1E\"",
                "\"\\\\u0000\"",
                "\"\\\\ud800\"",
                "\"\x7f\"",
                "\"\xc2\x80\"",
                "\"\xef\xbf\xbf\"",
                "\"\xf4\x8f\xbf\xbf\"",
                "\"\\/\\b\\f\\n\\r\\t\"",
                "\"\\uffff\"",
                "[\"a,b[c{d\"]",
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                json_doc_free(parse_ok(texts[i]));
}

static void test_refused(void **state)
{
        static const struct {
                const char *text, *why;
        } rows[] = {
                /* not one document */
                {"", "premature EOF"},
                {" ", "premature EOF"},
                {"[", "premature EOF"},
                {"[1", "premature EOF"},
                {"{\"a\":1", "premature EOF"},
                {"\"abc", "premature EOF"},
                {"tru", "at byte 3"},
                {"[] []", "trailing garbage"},
                {"1 2", "trailing garbage"},
                {"{}x", "trailing garbage"},
                {"null\n]", "trailing garbage"},
                /* grammar */
                {"[1,]", "at byte"},
                {"[,1]", "at byte"},
                {"[1 2]", "at byte"},
                {"{\"a\":1,}", "at byte"},
                {"{\"a\" 1}", "at byte"},
                {"{1:1}", "at byte"},
                {"{a:1}", "at byte"},
                {"]", "at byte"},
                {"[}", "at byte"},
                {"nulll", "at byte"},
                {"True", "at byte"},
                {"NaN", "at byte"},
                {"Infinity", "at byte"},
                {"'a'", "at byte"},
                {"/* */ 1", "at byte"},
                {"// c\n1", "at byte"},
                {"01", "trailing garbage"},
                {"+1", "at byte"},
                {".5", "at byte"},
                {"1.", "at byte"},
                {"1e", "at byte"},
                {"-", "at byte"},
                {"0x10", "at byte"},
                {"\"\\x\"", "at byte"},
                {"\"\\u12\"", "at byte"},
                {"\"\\u12g4\"", "at byte"},
                {"\\u0020", "at byte"},
                {"\xef\xbb\xbf{}", "at byte"},
                /* bytes */
                {"\"\n\"", "at byte"},
                {"\"\x01\"", "a control byte at byte 1"},
                {"[\v]", "a control byte at byte 1"},
                {"[\f]", "a control byte at byte 1"},
                {"\"\xc0\xaf\"", "not valid UTF-8 at byte 1"},
                {"\"\xe0\x80\xaf\"", "not valid UTF-8 at byte 1"},
                {"\"\xf0\x80\x80\xaf\"", "not valid UTF-8 at byte 1"},
                {"\"\xed\xa0\x80\"", "not valid UTF-8 at byte 1"},
                {"\"\xf4\x90\x80\x80\"", "not valid UTF-8 at byte 1"},
                {"\"\xff\"", "not valid UTF-8 at byte 1"},
                {"\"\x80\"", "not valid UTF-8 at byte 1"},
                {"\"\xe2\x82\"", "not valid UTF-8 at byte 1"},
                {"\"a\xe2\x82", "not valid UTF-8 at byte 2"},
                {"{\"\xc0\x80\":1}", "not valid UTF-8 at byte 2"},
                /* escapes that stand for no character */
                {"\"\\u0000\"", "\\u0000 in a string at byte 1"},
                {"{\"a\\u0000\":1}", "\\u0000 in a string at byte 3"},
                {"\"\\ud800\"", "half a surrogate pair at byte 1"},
                {"\"\\udc00\"", "half a surrogate pair at byte 1"},
                {"\"\\uDBFF\\uDBFF\"", "half a surrogate pair at byte 1"},
                {"\"\\ud800x\\udc00\"", "half a surrogate pair at byte 1"},
                {"\"\\ud800\\n\"", "half a surrogate pair at byte 1"},
                {"\"\\ud800", "half a surrogate pair at byte 1"},
                {"\"\\ud83d\\ude00\\ude00\"", "half a surrogate pair at byte 13"},
                /* keys */
                {"{\"a\":1,\"a\":2}", "a key stands twice"},
                {"[{\"b\":1,\"a\":{},\"\\u0062\":2}]", "a key stands twice"},
                {"{\"\":1,\"\":1}", "a key stands twice"},
                /* numbers */
                {"9223372036854775808", "out of range"},
                {"-9223372036854775809", "out of range"},
                {"1e309", "out of range"},
                {"-1e309", "out of range"},
                {"1e999999999", "out of range"},
                {"[1e-999999999]", "out of range"},
                {"1e-400", "out of range"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_refused(rows[i].text, strlen(rows[i].text), &LIMITS, rows[i].why);
        assert_refused("\"a\0b\"", 5, &LIMITS, "a control byte at byte 2");
        assert_refused("1\0", 2, &LIMITS, "a control byte at byte 1");
}

static void test_limits(void **state)
{
        static const struct json_limits tight = {
                .max_bytes = 40, .max_depth = 2, .max_values = 4, .max_key_bytes = 3, .max_string_bytes = 5};
        static const struct {
                const char *text, *why; /* NULL: accepted */
        } rows[] = {
                {"[[]]", NULL},
                {"[{},{}]", NULL},
                {"[[[]]]", "nested too deep at byte 3"},
                {"{\"a\":[{}]}", "nested too deep"},
                {"[1,2,3]", NULL},
                {"[1,2,3,4]", "too many values"},
                {"[[],[],[],[]]", "too many values"},
                {"{\"abc\":1}", NULL},
                {"{\"abcd\":1}", "a key is too long"},
                {"\"12345\"", NULL},
                {"\"123456\"", "a string is too long"},
                {"\"\\u0061\\u0062\\u0063\\u0064\\u0065\"", NULL},
                {"                                       1", NULL},
                {"                                        1", "41 bytes, more than the 40 allowed"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct json_doc *doc = NULL;
                if (rows[i].why != NULL)
                        assert_refused(rows[i].text, strlen(rows[i].text), &tight, rows[i].why);
                else if (json_parse(rows[i].text, strlen(rows[i].text), &tight, &doc, NULL) != 0)
                        fail_msg("refused: %s", rows[i].text);
                json_doc_free(doc);
        }
}

static void repeat(struct strbuf *sb, const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                strbuf_addstr(sb, s);
}

/* What would exhaust the stack, or take quadratic time, of a reader that trusts its input. */
static void test_hostile_sizes(void **state)
{
        static const struct {
                const char *head, *unit, *tail, *why;
                size_t n;
        } rows[] = {
                {"", "[", "", "nested too deep at byte 65", 400000},
                {"", "{\"a\":", "", "nested too deep", 400000},
                {"", "]", "", "at byte", 400000},
                {"[0", ",1", "]", "too many values", 1000000},
                {"{\"a\":0", ",\"a\":0", "}", "a key stands twice", 90000},
                {"", "9", "", "a number is too long", 1000000},
                {"0.", "0", "1", "a number is too long", 1000000},
                {"\"", "x", "\"", "a string is too long", 1500000},
                {"\"", "\\u0061", "", "premature EOF", 500000},
                {"", " ", "", "more than the", 4194305},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct strbuf sb = STRBUF_INIT;
                strbuf_addstr(&sb, rows[i].head);
                repeat(&sb, rows[i].unit, rows[i].n);
                strbuf_addstr(&sb, rows[i].tail);
                assert_refused(sb.buf, sb.len, &LIMITS, rows[i].why);
                strbuf_deinit(&sb);
        }
}

static void test_large_but_fine(void **state)
{
        struct strbuf sb = STRBUF_INIT;
        (void)state;
        strbuf_addstr(&sb, "{\"first\":0");
        for (int i = 0; i < 50000; i++)
                strbuf_addf(&sb, ",\"k%d\":[%d]", (i * 7919) % 50000, i);
        struct json_doc *doc = NULL;
        strbuf_addch(&sb, '}');
        /* 100002 values: two over the default */
        struct json_limits limits = LIMITS;
        limits.max_values = 100002;
        assert_refused(sb.buf, sb.len, &LIMITS, "too many values");
        assert_int_equal(json_parse(sb.buf, sb.len, &limits, &doc, NULL), 0);
        assert_int_equal(json_len(json_root(doc)), 50001);
        for (int i = 0; i < 50000; i++) {
                char key[16];
                int64_t n = -1;
                (void)snprintf(key, sizeof(key), "k%d", (i * 7919) % 50000);
                assert_true(json_int(json_at(json_get(json_root(doc), key), 0), &n));
                assert_int_equal(n, i);
                assert_string_equal(json_key_at(json_root(doc), (size_t)i + 1), key);
        }
        json_doc_free(doc);
        strbuf_deinit(&sb);
}

static void test_strings(void **state)
{
        static const struct {
                const char *text, *value;
        } rows[] = {
                {"\"\"", ""},
                {"\"plain\"", "plain"},
                {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
                {"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
                {"\"\xc3\xa9\xf0\x9f\x98\x80\"", "\xc3\xa9\xf0\x9f\x98\x80"},
                {"\"\\\\u0000\"", "\\u0000"},
                {"\"\\u0001\\u001f\"", "\x01\x1f"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct json_doc *doc = parse_ok(rows[i].text);
                assert_string_equal(json_str(json_root(doc)), rows[i].value);
                json_doc_free(doc);
        }
}

static void test_numbers(void **state)
{
        static const struct {
                const char *text;
                bool is_int;
                int64_t value;
        } rows[] = {
                {"0", true, 0},
                {"-0", true, 0},
                {"42", true, 42},
                {"9223372036854775807", true, INT64_MAX},
                {"-9223372036854775808", true, INT64_MIN},
                {"1.0", false, 0},
                {"1e3", false, 0},
                {"1E3", false, 0},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct json_doc *doc = parse_ok(rows[i].text);
                int64_t n = 7;
                assert_int_equal(json_type(json_root(doc)), JSON_NUMBER);
                assert_string_equal(json_number_text(json_root(doc)), rows[i].text);
                assert_int_equal(json_int(json_root(doc), &n), rows[i].is_int);
                assert_int_equal(n, rows[i].is_int ? rows[i].value : 7);
                json_doc_free(doc);
        }
}

static void test_lookup(void **state)
{
        (void)state;
        struct json_doc *doc = parse_ok("{\"data\":{\"state\":{\"id\":\"x\",\"ids\":1},\"on\":true},"
                                        "\"list\":[1,[2,3],null],\"z\":{},\"data.state\":5}");
        const struct json *root = json_root(doc);
        bool on = false;
        int64_t n = 0;
        assert_string_equal(json_str(json_path(root, "data.state.id")), "x");
        assert_true(json_bool(json_path(root, "data.on"), &on) && on);
        assert_true(json_int(json_get(root, "data.state"), &n) && n == 5);
        assert_ptr_equal(json_path(root, "z"), json_get(root, "z"));
        assert_null(json_path(root, "data.state.i"));
        assert_null(json_path(root, "data.state.idss"));
        assert_null(json_path(root, "data.state.id.more"));
        assert_null(json_path(root, "data..id"));
        assert_null(json_path(root, ""));
        assert_int_equal(json_len(json_get(root, "list")), 3);
        assert_int_equal(json_type(json_at(json_get(root, "list"), 2)), JSON_NULL);
        assert_true(json_int(json_at(json_at(json_get(root, "list"), 1), 1), &n) && n == 3);
        assert_string_equal(json_key_at(root, 0), "data");
        assert_string_equal(json_key_at(root, 3), "data.state");
        assert_ptr_equal(json_at(root, 1), json_get(root, "list"));
        json_doc_free(doc);
}

static void test_absent(void **state)
{
        (void)state;
        struct json_doc *doc = parse_ok("[\"s\",1,true,{}]");
        const struct json *root = json_root(doc);
        const struct json *values[] = {
                NULL, root, json_at(root, 0), json_at(root, 1), json_at(root, 2), json_at(root, 3)};
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                bool b = true;
                int64_t n = 9;
                assert_null(json_get(values[i], "x"));
                assert_null(json_path(values[i], "x.y"));
                assert_null(json_key_at(values[i], 0));
                assert_null(json_at(values[i], 4));
                assert_int_equal(json_len(values[i]), i == 1 ? 4 : 0);
                assert_int_equal(json_str(values[i]) != NULL, i == 2);
                assert_int_equal(json_int(values[i], &n), i == 3);
                assert_int_equal(json_number_text(values[i]) != NULL, i == 3);
                assert_int_equal(json_bool(values[i], &b), i == 4);
        }
        assert_int_equal(json_type(NULL), JSON_NULL);
        json_doc_free(doc);
        json_doc_free(NULL);
}

/* Every cut and every changed byte of a text with all kinds of values: an answer, never a crash. */
static void test_damaged(void **state)
{
        static const char text[] =
                "{\"k\":[null,true,-1.5e3,\"\\ud83d\\ude00\xc3\xa9\",{\"o\":{}}],\"l\":\"\\n\"}";
        (void)state;
        for (size_t cut = 0; cut < sizeof(text) - 1; cut++)
                assert_refused(text, cut, &LIMITS, "");
        for (size_t at = 0; at < sizeof(text) - 1; at++) {
                for (int byte = 0; byte < 256; byte++) {
                        char copy[sizeof(text)];
                        struct json_doc *doc = NULL;
                        memcpy(copy, text, sizeof(text));
                        copy[at] = (char)byte;
                        (void)json_parse(copy, sizeof(text) - 1, &LIMITS, &doc, NULL);
                        json_doc_free(doc);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepted),       cmocka_unit_test(test_refused),
                cmocka_unit_test(test_limits),         cmocka_unit_test(test_hostile_sizes),
                cmocka_unit_test(test_large_but_fine), cmocka_unit_test(test_strings),
                cmocka_unit_test(test_numbers),        cmocka_unit_test(test_lookup),
                cmocka_unit_test(test_absent),         cmocka_unit_test(test_damaged),
        };
        return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
