/* The invariants of a growing text. */
#include "common/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_grows_and_stays_terminated(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        (void)state;
        assert_string_equal(sb.buf, "");
        for (size_t i = 0; i < 5000; i++) {
                strbuf_addch(&sb, 'x');
                assert_int_equal(sb.len, i + 1);
                assert_int_equal(sb.buf[sb.len], '\0');
        }
        strbuf_reset(&sb);
        assert_string_equal(sb.buf, "");
        strbuf_addf(&sb, "%s-%d", "a", 7);
        strbuf_addstr(&sb, "");
        strbuf_add(&sb, NULL, 0);
        assert_string_equal(sb.buf, "a-7");
}

static void test_holds_nul_bytes(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        (void)state;
        strbuf_add(&sb, "a\0b", 3);
        assert_int_equal(sb.len, 3);
        assert_memory_equal(sb.buf, "a\0b", 4);
}

static void test_remove(void **state)
{
        static const struct {
                size_t pos, len;
                const char *left;
        } rows[] = {{0, 0, "abcdef"}, {0, 2, "cdef"},   {2, 2, "abef"},
                    {4, 2, "abcd"},   {6, 0, "abcdef"}, {0, 6, ""}};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                strbuf_addstr(&sb, "abcdef");
                strbuf_remove(&sb, rows[i].pos, rows[i].len);
                assert_string_equal(sb.buf, rows[i].left);
                assert_int_equal(sb.len, strlen(rows[i].left));
        }
        struct strbuf fresh = STRBUF_INIT;
        strbuf_remove(&fresh, 0, 0);
        assert_ptr_equal(fresh.buf, strbuf_empty);
}

static void test_take(void **state)
{
        struct strbuf sb = STRBUF_INIT;
        (void)state;
        char *empty = strbuf_take(&sb);
        assert_string_equal(empty, "");
        free(empty);
        strbuf_addstr(&sb, "mine");
        char *text = strbuf_take(&sb);
        assert_string_equal(text, "mine");
        assert_string_equal(sb.buf, "");
        free(text);
        strbuf_deinit(&sb);
}

static void test_read_file(void **state)
{
        char path[] = "/tmp/orch-strbuf-XXXXXX";
        int fd = mkstemp(path);
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        (void)state;
        assert_true(fd >= 0);
        for (int i = 0; i < 1000; i++)
                assert_int_equal(write(fd, "0123456789", 10), 10);
        close(fd);

        strbuf_addstr(&sb, "kept");
        assert_int_equal(strbuf_read_file(&sb, path, 9999), -EFBIG);
        assert_string_equal(sb.buf, "kept");
        assert_int_equal(strbuf_read_file(&sb, path, 10000), 0);
        assert_int_equal(sb.len, 10004);
        assert_memory_equal(sb.buf, "kept0123", 8);
        unlink(path);
        assert_int_equal(strbuf_read_file(&sb, path, 10), -ENOENT);
        assert_int_equal(strbuf_read_file(&sb, "/", 10), -EISDIR);
        assert_int_equal(sb.len, 10004);
}

static void test_mem_of_nothing(void **state)
{
        char *p = xmalloc(0), *q = xcalloc(0, 8), *r = xrealloc(NULL, 0);
        (void)state;
        assert_non_null(p);
        assert_non_null(q);
        assert_non_null(r);
        freep(&p);
        freep(&q);
        freep(&r);
        char *s = xstrndup("abc", 2);
        assert_string_equal(s, "ab");
        char *t = take_ptr(s);
        assert_null(s);
        freep(&t);
        t = xasprintf("%05d", 42);
        assert_string_equal(t, "00042");
        freep(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_grows_and_stays_terminated),
                cmocka_unit_test(test_holds_nul_bytes),
                cmocka_unit_test(test_remove),
                cmocka_unit_test(test_take),
                cmocka_unit_test(test_read_file),
                cmocka_unit_test(test_mem_of_nothing),
        };
        return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}
