/* test_doc_file.c - P-4: a document of ours in a tree that is not: no symbolic link on its way is followed.
 */
#include "workerd/doc_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/tmp_dir.h"

static void assert_holds(const char *dir, const char *path, const char *text)
{
        struct strbuf sb = STRBUF_INIT;
        _cleanup_(freep) char *name = xasprintf("%s/%s", dir, path);
        assert_int_equal(strbuf_read_file(&sb, name, 100), 0);
        assert_string_equal(sb.buf, text);
        strbuf_deinit(&sb);
}

static void test_writes_and_replaces(void **state)
{
        char *dir = tmp_dir_make();
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        assert_int_equal(doc_file_write(dir, "docs/item/log.md", "one\n", &err), 0);
        assert_holds(dir, "docs/item/log.md", "one\n");
        assert_int_equal(doc_file_write(dir, "docs/item/log.md", "two\n", &err), 0);
        assert_holds(dir, "docs/item/log.md", "two\n");
        assert_int_equal(doc_file_write(dir, "top.md", "", &err), 0);
        assert_holds(dir, "top.md", "");
        tmp_dir_remove(dir);
}

static void test_follows_no_link(void **state)
{
        char *dir = tmp_dir_make(), *outside = tmp_dir_make();
        struct errinfo err = ERRINFO_INIT;
        _cleanup_(freep) char *folder = xasprintf("%s/docs", dir);
        _cleanup_(freep) char *file = xasprintf("%s/log.md", dir);
        _cleanup_(freep) char *target = xasprintf("%s/log.md", outside);
        (void)state;
        assert_int_equal(symlink(outside, folder), 0);
        assert_int_equal(doc_file_write(dir, "docs/log.md", "x", &err), -ENOTDIR);
        assert_int_equal(access(target, F_OK), -1);
        assert_int_equal(symlink(target, file), 0);
        assert_int_equal(doc_file_write(dir, "log.md", "x", &err), 0);
        assert_int_equal(access(target, F_OK), -1);
        assert_holds(dir, "log.md", "x");
        tmp_dir_remove(dir);
        tmp_dir_remove(outside);
}

static void test_says_what_is_in_the_way(void **state)
{
        char *dir = tmp_dir_make();
        struct errinfo err = ERRINFO_INIT;
        _cleanup_(freep) char *folder = xasprintf("%s/log.md", dir);
        (void)state;
        assert_int_equal(doc_file_write(dir, "docs", "a file", &err), 0);
        assert_int_equal(doc_file_write(dir, "docs/log.md", "x", &err), -ENOTDIR);
        assert_non_null(strstr(err.text, "docs/log.md cannot be written"));
        assert_int_equal(mkdir(folder, 0700), 0);
        assert_true(doc_file_write(dir, "log.md", "x", &err) < 0);
        assert_true(doc_file_write("/nonexistent", "log.md", "x", &err) < 0);
        tmp_dir_remove(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_writes_and_replaces),
                                           cmocka_unit_test(test_follows_no_link),
                                           cmocka_unit_test(test_says_what_is_in_the_way)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
