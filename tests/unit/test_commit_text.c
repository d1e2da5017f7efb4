/* Commit messages that foreign text cannot break, refused changes, and lists of files in a commit. */
#include "workerd/commit_text.h"

#include <errno.h>
#include <string.h>

#include "common/git.h"
#include "common/mem.h"
#include "tests/unit/cm.h"
#include "workerd/artefacts.h"

#define DOCS       "docs/work-items/ORCH-1"
#define A          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define Z          "0000000000000000000000000000000000000000"
#define EMPTY_BLOB "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

static void test_subject(void **state)
{
        static const struct {
                const char *title, *subject;
        } rows[] = {
                {"Fix it", "developer: ORCH-1 Fix it"},
                {NULL, "developer: ORCH-1 "},
                {"a\n\nOrch-Job: 9\x7f", "developer: ORCH-1 a  Orch-Job: 9 "},
                {"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                 "123456789"
                 "x",
                 "developer: ORCH-1 "
                 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                 "123456789"
                 "..."},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                commit_text_subject(&sb, "developer", "ORCH-1", rows[i].title);
                assert_string_equal(sb.buf, rows[i].subject);
        }
}

static void test_message(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        _cleanup_(argv_deinit) struct argv refused = ARGV_INIT;
        (void)state;
        commit_text_message(&sb, "subject", "tester", 7, 2, &refused);
        assert_string_equal(sb.buf, "subject\n\nOrch-Job: 7\nOrch-Epoch: 2\nOrch-Role: tester\n");
        strbuf_reset(&sb);
        argv_add(&refused, "a");
        argv_add(&refused, "b\n\nOrch-Job: 9");
        commit_text_message(&sb, "subject", "tester", 7, 2, &refused);
        assert_string_equal(sb.buf, "subject\n\nLeft out, because these files are not the tester's:\n- a\n"
                                    "- b  Orch-Job: 9\n\nOrch-Job: 7\nOrch-Epoch: 2\nOrch-Role: tester\n");
}

static int refuse(const char *raw, size_t len, struct argv *refused, struct argv *nested,
                  struct strbuf *restore)
{
        return commit_text_refuse(raw, len, "developer", DOCS, refused, nested, restore);
}

static void test_refuse(void **state)
{
        static const char raw[] = ":000000 100644 " Z " " A " A\0src/new.c\0"
                                  ":100644 100644 " A " " B " M\0" DOCS "/12-review.md\0"
                                  ":100644 000000 " A " " Z " D\0" DOCS "/01-brd.md\0"
                                  ":000000 100644 " Z " " B " A\0" DOCS "/13-test-report.md\0"
                                  ":000000 120000 " Z " " B " A\0docs\0"
                                  ":100644 000000 " A " " Z " D\0docs/work-items\0"
                                  ":000000 160000 " Z " " B " A\0sub\0"
                                  ":160000 160000 " A " " B " M\0oldsub\0";
        static const char want[] = "0 " Z "\t" DOCS "/13-test-report.md\0"
                                   "0 " Z "\tdocs\0"
                                   "0 " Z "\tsub\0"
                                   "100644 " A "\t" DOCS "/12-review.md\0"
                                   "100644 " A "\t" DOCS "/01-brd.md\0";
        _cleanup_(strbuf_deinit) struct strbuf restore = STRBUF_INIT;
        _cleanup_(argv_deinit) struct argv refused = ARGV_INIT, nested = ARGV_INIT;
        (void)state;
        assert_int_equal(refuse(raw, sizeof(raw) - 1, &refused, &nested, &restore), 0);
        assert_int_equal(restore.len, sizeof(want) - 1);
        assert_memory_equal(restore.buf, want, sizeof(want) - 1);
        assert_int_equal(refused.n, 4);
        assert_string_equal(refused.words[3], "docs");
        assert_int_equal(nested.n, 1);
        assert_string_equal(nested.words[0], "sub");
        /* a list that was cut short anywhere is no list, but for the ends of its entries */
        int good = 0;
        for (size_t cut = 0; cut < sizeof(raw) - 1; cut++) {
                _cleanup_(freep) char *copy = xmalloc(cut + 1); /* so that reading beyond it is found out */
                memcpy(copy, raw, cut);
                _cleanup_(strbuf_deinit) struct strbuf r2 = STRBUF_INIT;
                _cleanup_(argv_deinit) struct argv a2 = ARGV_INIT, n2 = ARGV_INIT;
                good += refuse(copy, cut, &a2, &n2, &r2) == 0;
        }
        assert_int_equal(good, 8);
}

/* Who judges leaves the code as it was, what is deleted included. */
static void test_refuse_to_a_judge(void **state)
{
        static const char raw[] = ":100644 100644 " A " " B " M\0src/changed.c\0"
                                  ":100644 000000 " A " " Z " D\0src/gone.c\0"
                                  ":000000 100644 " Z " " B " A\0src/new.c\0"
                                  ":100644 000000 " A " " Z " D\0" DOCS "/notes.md\0"
                                  ":000000 100644 " Z " " B " A\0" DOCS "/13-test-report.md\0";
        static const char want[] = "0 " Z "\tsrc/new.c\0"
                                   "100644 " A "\tsrc/changed.c\0"
                                   "100644 " A "\tsrc/gone.c\0";
        _cleanup_(strbuf_deinit) struct strbuf restore = STRBUF_INIT;
        _cleanup_(argv_deinit) struct argv refused = ARGV_INIT, nested = ARGV_INIT;
        (void)state;
        assert_int_equal(
                commit_text_refuse(raw, sizeof(raw) - 1, "tester", DOCS, &refused, &nested, &restore), 0);
        assert_int_equal(refused.n, 3);
        assert_int_equal(restore.len, sizeof(want) - 1);
        assert_memory_equal(restore.buf, want, sizeof(want) - 1);
}

static void test_artefacts(void **state)
{
        static const char list[] = "100644 blob " A "\t" DOCS "/01-brd.md\0"
                                   "120000 blob " A "\t" DOCS "/02-trz.md\0"
                                   "100644 blob " EMPTY_BLOB "\t" DOCS "/03-acceptance-criteria.md\0"
                                   "160000 commit " A "\t" DOCS "/04-test-plan.yaml\0"
                                   "100644 blob " EMPTY_BLOB "\t" DOCS "/06-adr/ADR-001-empty.md\0"
                                   "100755 blob " B "\t" DOCS "/06-adr/ADR-002-full.md\0"
                                   "100644 blob " B "\t" DOCS "2/13-test-report.md\0";
        static const struct {
                const char *pattern;
                enum artefact_found found;
        } rows[] = {
                {"01-brd.md", ARTEFACT_PRESENT},
                {"02-trz.md", ARTEFACT_NOT_A_FILE},
                {"03-acceptance-criteria.md", ARTEFACT_EMPTY},
                {"04-test-plan.yaml", ARTEFACT_NOT_A_FILE},
                {"06-adr/ADR-*.md", ARTEFACT_PRESENT},
                {"06-adr", ARTEFACT_MISSING},
                {"13-test-report.md", ARTEFACT_MISSING},
                {"*.md", ARTEFACT_PRESENT},
        };
        struct artefact a;
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_int_equal(artefact_find(list, sizeof(list) - 1, DOCS, rows[i].pattern, &a),
                                 rows[i].found);
        assert_int_equal(artefact_find(list, sizeof(list) - 1, DOCS, "06-adr/ADR-*.md", &a),
                         ARTEFACT_PRESENT);
        assert_string_equal(a.path, DOCS "/06-adr/ADR-002-full.md");
        assert_string_equal(a.blob, B);
        assert_int_equal(artefact_find("junk", 4, DOCS, "*", &a), ARTEFACT_MISSING);
}

static void test_oid(void **state)
{
        static const struct {
                const char *text;
                bool whole, begins;
        } rows[] = {
                {A, true, true},
                {A "\n", false, true},
                {A "a", false, false},
                {"", false, false},
                {"abc", false, false},
                {A " x", false, true},
                {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false, false},
                {A "aaaaaaaaaaaaaaaaaaaaaaaa", true, true},
                {A A, false, false},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char oid[GIT_OID_SIZE];
                assert_int_equal(git_oid_valid(rows[i].text), rows[i].whole);
                assert_int_equal(git_oid_read(rows[i].text, oid), rows[i].begins);
                assert_int_equal(oid[0] != '\0', rows[i].begins);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_subject),   cmocka_unit_test(test_message),
                cmocka_unit_test(test_refuse),    cmocka_unit_test(test_refuse_to_a_judge),
                cmocka_unit_test(test_artefacts), cmocka_unit_test(test_oid),
        };
        return cmocka_run_group_tests_name("commit_text", tests, NULL, NULL);
}
