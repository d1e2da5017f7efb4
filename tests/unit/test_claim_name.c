/* test_claim_name.c - claims as beats name them. */
#include "common/claim_name.h"

#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

#define T "0b6f3c1e-1111-4222-8333-444455556666"

static void test_reads_and_writes(void **state)
{
        static const struct {
                const char *text, *again;
        } rows[] = {
                {NULL, ""},
                {"", ""},
                {"12-3-" T, "12-3-" T},
                {"12-3-" T ",4-5-x", "12-3-" T ",4-5-x"},
                {",", ""},
                {"12-3-", ""},
                {"12-3", ""},
                {"12--" T, ""},
                {"-12-3-" T ",1-2-y,", "1-2-y"},
                {"x-3-" T ",1-2-y", "1-2-y"},
                {"12-3-" T "0,1-2-y", "1-2-y"}, /* longer than any token */
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct claim_names names;
                struct strbuf sb = STRBUF_INIT;
                claim_names_parse(&names, rows[i].text);
                for (size_t n = 0; n < names.n; n++)
                        claim_name_add(&sb, &names.names[n]);
                assert_string_equal(sb.buf, rows[i].again);
                claim_names_deinit(&names);
                strbuf_deinit(&sb);
        }
}

/* All three make the name. */
static void test_finds_a_claim(void **state)
{
        struct claim_names names;
        (void)state;
        claim_names_parse(&names, "1-1-a,12-3-" T);
        assert_true(claim_names_have(&names, 12, 3, T));
        assert_false(claim_names_have(&names, 12, 4, T));
        assert_false(claim_names_have(&names, 13, 3, T));
        assert_false(claim_names_have(&names, 12, 3, "a"));
        assert_false(claim_names_have(&names, 12, 3, NULL));
        claim_names_deinit(&names);
        assert_false(claim_names_have(&names, 12, 3, T));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_and_writes),
                cmocka_unit_test(test_finds_a_claim),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
