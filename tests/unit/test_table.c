/* Tables: alignment by columns on the screen, cutting to the width of the terminal, styles. */
#include "ctl/table.h"

#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/text.h"
#include "tests/unit/cm.h"

static const struct term file = {.tty = false};

static const struct table_column item_columns[] = {
        {.title = "ITEM"}, {.title = "RUNS", .right = true}, {.title = "TITLE", .shrinks = true}};

static int setup(void **state)
{
        (void)state;
        text_init();
        return 0;
}

static void add_row(struct table *t, const char *item, int64_t runs, const char *title)
{
        table_add(t, item);
        table_add_int(t, runs);
        table_add(t, title);
}

static void test_columns_are_aligned_as_seen(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        struct table t;
        (void)state;
        table_init(&t, item_columns, ARRAY_SIZE(item_columns));
        add_row(&t, "D-1", 7, "one");
        add_row(&t, "\xe6\x97\xa5-22", 1234, NULL);
        assert_int_equal(table_rows(&t), 2);
        table_print(&t, &file, &sb);
        table_deinit(&t);
        assert_string_equal(sb.buf, "ITEM   RUNS  TITLE\n"
                                    "D-1       7  one\n"
                                    "\xe6\x97\xa5-22  1234  -\n");
}

static void test_no_rows_is_titles_only(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        struct table t;
        (void)state;
        table_init(&t, item_columns, ARRAY_SIZE(item_columns));
        table_print(&t, &file, &sb);
        table_deinit(&t);
        assert_string_equal(sb.buf, "ITEM  RUNS  TITLE\n");
}

static void test_the_shrinking_column_gives_way(void **state)
{
        static const struct {
                size_t columns;
                const char *title; /* as printed */
        } rows[] = {
                {0, "a rather long title"},
                {31, "a rather long title"},
                {30, "a rather long tit\xe2\x80\xa6"},
                {20, "a rathe\xe2\x80\xa6"},
                {5, "a rathe\xe2\x80\xa6"}, /* not below eight columns: then the line is too long */
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT, want = STRBUF_INIT;
                struct term term = {.tty = rows[i].columns > 0, .columns = rows[i].columns};
                struct table t;
                table_init(&t, item_columns, ARRAY_SIZE(item_columns));
                add_row(&t, "D-1", 7, "a rather long title");
                table_print(&t, &term, &sb);
                table_deinit(&t);
                strbuf_addf(&want, "ITEM  RUNS  TITLE\nD-1      7  %s\n", rows[i].title);
                assert_string_equal(sb.buf, want.buf);
        }
}

static void test_styles_need_a_terminal_with_colours(void **state)
{
        static const struct table_column one[] = {{.title = "A"}};
        _cleanup_(strbuf_deinit) struct strbuf plain = STRBUF_INIT, colored = STRBUF_INIT;
        struct term term = {.tty = true, .color = true, .columns = 80};
        struct table t;
        (void)state;
        table_init(&t, one, ARRAY_SIZE(one));
        table_add_style(&t, "x", TERM_RED);
        table_print(&t, &file, &plain);
        table_print(&t, &term, &colored);
        table_deinit(&t);
        assert_string_equal(plain.buf, "A\nx\n");
        assert_string_equal(colored.buf, "\033[1mA\033[0m\n\033[31mx\033[0m\n");
}

static void test_cells_are_cleaned(void **state)
{
        static const struct table_column one[] = {{.title = "A"}};
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        struct table t;
        (void)state;
        table_init(&t, one, ARRAY_SIZE(one));
        table_add(&t, "two\nlines\033[2J");
        table_print(&t, &file, &sb);
        table_deinit(&t);
        assert_string_equal(sb.buf, "A\ntwo lines\xef\xbf\xbd[2J\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_columns_are_aligned_as_seen),
                cmocka_unit_test(test_no_rows_is_titles_only),
                cmocka_unit_test(test_the_shrinking_column_gives_way),
                cmocka_unit_test(test_styles_need_a_terminal_with_colours),
                cmocka_unit_test(test_cells_are_cleaned),
        };
        return cmocka_run_group_tests(tests, setup, NULL);
}
