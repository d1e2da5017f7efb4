/* /health and /readyz from facts. */
#include "web/status_page.h"

#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static void test_health(void **state)
{
        static const struct {
                struct status_facts facts;
                const char *status, *database;
        } rows[] = {
                {{.database_up = true}, "\"status\":\"ok\"", "\"database\":\"up\",\"draining\":false"},
                {{.database_up = false},
                 "\"status\":\"degraded\"",
                 "\"database\":\"down\",\"draining\":false"},
                {{.database_up = true, .draining = true}, "\"status\":\"draining\"", "\"draining\":true"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf body = STRBUF_INIT;
                status_page_health(&rows[i].facts, &body);
                assert_non_null(strstr(body.buf, rows[i].status));
                assert_non_null(strstr(body.buf, rows[i].database));
                assert_non_null(strstr(body.buf, "\"version\":\""));
        }
}

static void test_readyz(void **state)
{
        static const struct {
                struct status_facts facts;
                const char *verbose;
        } rows[] = {
                {{.database_up = true, .schema_known = true, .schema_fits = true},
                 "{\"ready\":true,\"checks\":{\"serving\":true,\"database\":true,\"schema\":true}}"},
                {{.database_up = true, .schema_known = true},
                 "{\"ready\":false,\"checks\":{\"serving\":true,\"database\":true,\"schema\":false}}"},
                {{.database_up = true},
                 "{\"ready\":false,\"checks\":{\"serving\":true,\"database\":false,\"schema\":false}}"},
                {{.schema_known = true, .schema_fits = true},
                 "{\"ready\":false,\"checks\":{\"serving\":true,\"database\":false,\"schema\":true}}"},
                {{.database_up = true, .schema_known = true, .schema_fits = true, .draining = true},
                 "{\"ready\":false,\"checks\":{\"serving\":false,\"database\":true,\"schema\":true}}"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf brief = STRBUF_INIT, verbose = STRBUF_INIT;
                bool ready = strstr(rows[i].verbose, "\"ready\":true") != NULL;
                assert_int_equal(status_page_readyz(&rows[i].facts, false, &brief), ready);
                assert_string_equal(brief.buf, ready ? "{\"ready\":true}" : "{\"ready\":false}");
                assert_int_equal(status_page_readyz(&rows[i].facts, true, &verbose), ready);
                assert_string_equal(verbose.buf, rows[i].verbose);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_health),
                cmocka_unit_test(test_readyz),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
