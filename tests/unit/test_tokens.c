/* The file of tokens, line by line, and who is let in by which header. */
#include "common/tokens.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "common/token_time.h"
#include "tests/unit/cm.h"
#include "tests/unit/tmp_dir.h"

#define TOKEN "abcdefghijklmnopqrstuvwxyz012345"
#define HASH  "b0b36b7d5dbd4ae6d4c3b9e1b5fb0bfd5e3d5c2a1f0a9b8c7d6e5f4a3b2c1d0e" /* of nothing known */
#define LATER " expires=2999-01-31"
#define NOW   1800000000 /* 2027-01-15 */

static int parse(const char *text, struct tokens **ret, struct errinfo *err)
{
        return tokens_parse("f", text, strlen(text), NOW, ret, err);
}

static void test_lines(void **state)
{
        static const struct {
                const char *text;
                int count; /* -1: refused */
                const char *why;
        } rows[] = {
                {"a read " HASH, 1, NULL},
                {"a read " HASH "\n", 1, NULL},
                {"a operator " TOKEN "\n", 1, NULL},
                {"\n# a comment\n \t# another\n\na\tread\t " HASH LATER " \t\n", 1, NULL},
                {"a read " HASH " expires=2020-01-01\n", 1, NULL},
                {"a read " HASH " expires=2999-01-31T23:59:59Z\n", 1, NULL},
                {"A.b_c@d-9 read " TOKEN "~+/-._==\n", 1, NULL},
                {"", -1, "has no token"},
                {"# only\n", -1, "has no token"},
                {"a\n", -1, "line 1: the second word"},
                {"\n\na write " HASH "\n", -1, "line 3: the second word"},
                {"a READ " HASH "\n", -1, "the second word"},
                {"a rea " HASH "\n", -1, "the second word"},
                {"a read\n", -1, "the third word"},
                {"a read " HASH "0\n", 1, NULL}, /* too long for a hash: a token */
                {"a read short\n", -1, "the third word"},
                {"a read \"" TOKEN "\"\n", -1, "the third word"},
                {"a read =" TOKEN "\n", -1, "the third word"},
                {"a read " TOKEN "=x\n", -1, "the third word"},
                {"a read " TOKEN "\r\n", -1, "the third word"},
                {"a read " HASH " expires=\n", -1, "the fourth word"},
                {"a read " HASH " expires=soon\n", -1, "the fourth word"},
                {"a read " HASH " expires=2999-02-29\n", -1, "the fourth word"},
                {"a read " HASH " until=2999-01-31\n", -1, "the fourth word"},
                {"a read " HASH LATER " x\n", -1, "a fifth word"},
                {"a;b read " HASH "\n", -1, "the first word"},
                {"\xc3\xbc read " HASH "\n", -1, "the first word"},
                {"a read " HASH "\nb read " HASH "\n", -1, "line 2: the token is that of an earlier line"},
                {"a read " TOKEN "1\na read " TOKEN "2\n", 2, NULL},
                {"a read " TOKEN "1\na read " TOKEN "2\na read " TOKEN "3\n", -1, "two good tokens already"},
                {"a read " TOKEN "1\na read " TOKEN "2 expires=2020-01-01\na operator " TOKEN "3\n", 3, NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct tokens *tokens = NULL;
                struct errinfo err = ERRINFO_INIT;
                int r = parse(rows[i].text, &tokens, &err);
                if ((r == 0 ? (int)tokens_count(tokens) : -1) != rows[i].count)
                        fail_msg("row %zu: %d %s", i, r, err.text);
                if (rows[i].why != NULL && strstr(err.text, rows[i].why) == NULL)
                        fail_msg("row %zu: %s", i, err.text);
                assert_null(strstr(err.text, "abcdefghij")); /* never a part of a token */
                tokens_free(tokens);
        }
}

static void test_not_too_many(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        struct tokens *tokens = NULL;
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        for (int i = 0; i < TOKENS_MAX; i++)
                strbuf_addf(&text, "n%d read %s%d\n", i, TOKEN, i);
        assert_int_equal(parse(text.buf, &tokens, &err), 0);
        assert_int_equal(tokens_count(tokens), TOKENS_MAX);
        tokens_free(tokens);
        strbuf_addf(&text, "one read %sx\n", TOKEN);
        assert_int_equal(parse(text.buf, &tokens, &err), -EINVAL);
        assert_non_null(strstr(err.text, "too many"));
}

static enum token_verdict check(const struct tokens *tokens, unsigned instances, const char *value,
                                int64_t now, const char **ret_name)
{
        const struct token *found = NULL;
        enum token_verdict v = tokens_check(tokens, instances, value, now, &found);
        assert_int_equal(v == TOKEN_OK, found != NULL);
        *ret_name = found != NULL ? found->name : NULL;
        return v;
}

static void test_headers(void **state)
{
        static const struct {
                const char *value;
                enum token_verdict verdict;
                const char *name;
        } rows[] = {
                {"Bearer " TOKEN "1", TOKEN_OK, "ann"},
                {"bEARER   " TOKEN "1", TOKEN_OK, "ann"},
                {"Bearer " TOKEN "2", TOKEN_OK, "bob"},
                {"Bearer " TOKEN "3", TOKEN_EXPIRED, NULL},
                {"Bearer " TOKEN "4", TOKEN_UNKNOWN, NULL},
                {"Bearer " TOKEN, TOKEN_UNKNOWN, NULL},
                {"Bearer " TOKEN "1 x", TOKEN_FORMAT, NULL},
                {"Bearer x", TOKEN_FORMAT, NULL},
                {"Bearer ", TOKEN_FORMAT, NULL},
                {"Bearer", TOKEN_MISSING, NULL},
                {"Bearer\t" TOKEN "1", TOKEN_MISSING, NULL},
                {"Basic " TOKEN "1", TOKEN_MISSING, NULL},
                {TOKEN "1", TOKEN_MISSING, NULL},
                {"", TOKEN_MISSING, NULL},
        };
        struct tokens *tokens = NULL;
        const char *name;
        (void)state;
        assert_int_equal(parse("ann operator " TOKEN "1\nbob read " TOKEN "2\nold read " TOKEN
                               "3 expires=2027-01-15T08:00:00Z\n",
                               &tokens, NULL),
                         0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                if (check(tokens, 1, rows[i].value, NOW, &name) != rows[i].verdict)
                        fail_msg("row %zu", i);
                if (rows[i].name != NULL)
                        assert_string_equal(name, rows[i].name);
        }
        assert_int_equal(check(tokens, 0, NULL, NOW, &name), TOKEN_MISSING);
        assert_int_equal(check(tokens, 2, "Bearer " TOKEN "1", NOW, &name), TOKEN_FORMAT);
        assert_int_equal(check(tokens, 1, "Bearer " TOKEN "3", NOW - 1, &name), TOKEN_OK);
        assert_int_equal(tokens_good(tokens, NOW), 2);
        assert_int_equal(tokens_good(tokens, NOW - 1), 3);
        tokens_free(tokens);
}

static void test_what_is_made_is_taken(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf line = STRBUF_INIT;
        char one[TOKEN_MADE_BYTES + 1], two[TOKEN_MADE_BYTES + 1];
        struct tokens *tokens = NULL;
        const char *name;
        (void)state;
        assert_int_equal(token_make(one), 0);
        assert_int_equal(token_make(two), 0);
        assert_int_equal(strlen(one), TOKEN_MADE_BYTES);
        assert_string_not_equal(one, two);
        token_line("ann", "operator", one, "2999-01-31", &line);
        assert_null(strstr(line.buf, one));
        assert_int_equal(parse(line.buf, &tokens, NULL), 0);
        _cleanup_(freep) char *header = xasprintf("Bearer %s", one);
        assert_int_equal(check(tokens, 1, header, NOW, &name), TOKEN_OK);
        assert_string_equal(name, "ann");
        assert_int_equal(tokens_at(tokens, 0)->scope, TOKEN_OPERATOR);
        tokens_free(tokens);
}

static void test_times(void **state)
{
        static const struct {
                const char *text;
                int64_t expect; /* -1: none */
        } rows[] = {
                {"2027-01-15", 1799971200},
                {"2027-01-15T08:00:00Z", 1800000000},
                {"2024-02-29", 1709164800},
                {"1970-01-01", 0},
                {"2023-02-29", -1},
                {"2027-13-01", -1},
                {"2027-00-01", -1},
                {"2027-01-00", -1},
                {"2027-01-32", -1},
                {"2027-01-15T24:00:00Z", -1},
                {"2027-01-15T08:60:00Z", -1},
                {"2027-01-15T08:00:00", -1},
                {"2027-01-15 08:00:00Z", -1},
                {"2027-01-15T08:00:00+01:00", -1},
                {"27-01-15", -1},
                {"2027-1-15", -1},
                {"+027-01-15", -1},
                {"", -1},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int64_t s = -1;
                int r = token_time_parse(rows[i].text, strlen(rows[i].text), &s);
                if (s != rows[i].expect || (r == 0) != (rows[i].expect >= 0))
                        fail_msg("%s: %lld", rows[i].text, (long long)s);
        }
}

static void test_whose_file(void **state)
{
        static const struct {
                mode_t mode;
                bool taken;
        } rows[] = {{0600, true},  {0400, true},  {0640, true}, {0604, false},
                    {0620, false}, {0602, false}, {0601, false}};
        char *dir = tmp_dir_make();
        _cleanup_(freep) char *path = xasprintf("%s/tokens", dir), *absent = xasprintf("%s/absent", dir);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        static const char line[] = "a read " TOKEN "\n";
        (void)state;
        assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct tokens *tokens = NULL;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(fchmod(fd, rows[i].mode), 0);
                assert_int_equal(tokens_load(path, NOW, &tokens, &err) == 0, rows[i].taken);
                assert_int_equal(strstr(err.text, "chmod 600") != NULL, !rows[i].taken);
                tokens_free(tokens);
        }
        struct errinfo err = ERRINFO_INIT;
        struct tokens *tokens = NULL;
        assert_int_equal(fchmod(fd, 0600), 0);
        assert_int_equal(ftruncate(fd, TOKENS_FILE_BYTES + 1), 0);
        assert_int_equal(tokens_load(path, NOW, &tokens, &err), -EFBIG);
        assert_int_equal(tokens_load(absent, NOW, &tokens, &err), -ENOENT);
        assert_non_null(strstr(err.text, absent));
        assert_int_equal(tokens_load(dir, NOW, &tokens, &err), -EINVAL);
        close(fd);
        tmp_dir_remove(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),   cmocka_unit_test(test_not_too_many),
                cmocka_unit_test(test_headers), cmocka_unit_test(test_what_is_made_is_taken),
                cmocka_unit_test(test_times),   cmocka_unit_test(test_whose_file),
        };
        return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
