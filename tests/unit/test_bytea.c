/* test_bytea.c - PostgreSQL's text form of bytes. */
#include "tests/unit/cm.h"

#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "workerd/bytea.h"

static void test_decode(void **state)
{
        static const struct {
                const char *text, *bytes;
                size_t len;
        } rows[] = {
                {"\\x", "", 0}, {"\\x4142", "AB", 2}, {"\\x00ff0a", "\0\xff\n", 3}, {NULL, "", 0},
                {"", "", 0},    {"4142", "", 0},      {"\\x414", "A", 1},           {"\\x41zz42", "A", 1},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct strbuf sb = STRBUF_INIT;
                bytea_decode(&sb, rows[i].text);
                assert_int_equal(sb.len, rows[i].len);
                assert_memory_equal(sb.buf, rows[i].bytes, rows[i].len);
                strbuf_deinit(&sb);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
