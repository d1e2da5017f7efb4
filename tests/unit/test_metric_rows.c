/* Rows of orch.metric as Prometheus reads them. The result is a stand-in. */
#include "web/metric_rows.h"

#include <string.h>

#include "common/db.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static const struct row {
        const char *name, *kind, *labels, *help, *value;
} rows[] = {
        {"orch_a", "gauge", "x=\"1\"", "Two\nlines and a \\", "1"},
        {"orch_a", "gauge", "x=\"2\"", "Two\nlines and a \\", "2.5"},
        {"orch_b", "counter", NULL, "Plain", "3"},
        {"orch_c", "gauge", "", "Nothing now", NULL},
        {"orch_d", "gauge", "", "Last", "-1"},
};

int db_rows(const struct db_result *res)
{
        (void)res;
        return ARRAY_SIZE(rows);
}

const char *db_text(const struct db_result *res, int row, const char *column)
{
        const struct row *r = &rows[row];
        (void)res;
        return strcmp(column, "name") == 0     ? r->name
               : strcmp(column, "kind") == 0   ? r->kind
               : strcmp(column, "labels") == 0 ? r->labels
               : strcmp(column, "help") == 0   ? r->help
                                               : r->value;
}

int64_t db_int(const struct db_result *res, int row, const char *column, int64_t if_null)
{
        (void)res;
        (void)if_null;
        assert_int_equal(row, 0);
        assert_string_equal(column, "keep_ms");
        return 1234;
}

static void test_how_long_they_hold(void **state)
{
        const struct db_result res = {.outcome = DB_OK};
        (void)state;
        assert_int_equal(metric_rows_keep_ms(&res), 1234);
}

static void test_print(void **state)
{
        _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
        const struct db_result res = {.outcome = DB_OK};
        (void)state;
        metric_rows_print(&text, &res);
        assert_string_equal(text.buf, "# HELP orch_a Two\\nlines and a \\\\\n"
                                      "# TYPE orch_a gauge\n"
                                      "orch_a{x=\"1\"} 1\n"
                                      "orch_a{x=\"2\"} 2.5\n"
                                      "# HELP orch_b Plain\n"
                                      "# TYPE orch_b counter\n"
                                      "orch_b 3\n"
                                      "# HELP orch_d Last\n"
                                      "# TYPE orch_d gauge\n"
                                      "orch_d -1\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_print),
                                           cmocka_unit_test(test_how_long_they_hold)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
