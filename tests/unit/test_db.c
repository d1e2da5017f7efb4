/* The parts of db that need no server: connection strings, error codes, results. */
#include "common/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/db_internal.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_advice(void **state)
{
        static const struct {
                const char *sqlstate;
                enum db_advice advice;
        } rows[] = {
                {"08006", DB_ADVICE_RECONNECT}, {"08P01", DB_ADVICE_RECONNECT},
                {"57P01", DB_ADVICE_RECONNECT}, {"57P02", DB_ADVICE_RECONNECT},
                {"57P03", DB_ADVICE_RECONNECT}, {"53300", DB_ADVICE_RECONNECT},
                {"53100", DB_ADVICE_RECONNECT}, {"25006", DB_ADVICE_RECONNECT},
                {"40001", DB_ADVICE_RETRY},     {"40P01", DB_ADVICE_RETRY},
                {"40003", DB_ADVICE_NONE},      {"57014", DB_ADVICE_NONE},
                {"55P03", DB_ADVICE_NONE},      {"23505", DB_ADVICE_NONE},
                {"OR002", DB_ADVICE_NONE},      {"25P03", DB_ADVICE_NONE},
                {"", DB_ADVICE_NONE},           {NULL, DB_ADVICE_NONE},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (db_advice(rows[i].sqlstate) != rows[i].advice)
                        fail_msg("%s", rows[i].sqlstate);
}

static void test_bytea(void **state)
{
        (void)state;
        char *text = db_bytea_hex("\x00\xff\x10z\n", 5);
        assert_string_equal(text, "\\x00ff107a0a");
        free(text);
        text = db_bytea_hex(NULL, 0);
        assert_string_equal(text, "\\x");
        free(text);
}

/* What target `i` of a connection string asks for; "" when it leaves it to libpq. */
static char *asked(const char *conninfo, size_t i, const char *keyword)
{
        const struct db_config cfg = {
                .conninfo = conninfo, .default_user = "orch_workerd", .application_name = "workerd/a"};
        struct db_targets t;
        struct errinfo err = ERRINFO_INIT;
        if (db_targets_init(&t, &cfg, &err) != 0)
                fail_msg("%s: %s", conninfo, err.text);
        assert_true(i < t.n);
        const char *value = db_target_get(&t.list[i], keyword);
        char *copy = xstrdup(value != NULL ? value : "");
        db_targets_deinit(&t);
        return copy;
}

static void test_targets(void **state)
{
        static const struct {
                const char *conninfo;
                size_t i;
                const char *keyword, *value;
        } rows[] = {
                {"", 0, "user", "orch_workerd"},
                {"user=me", 0, "user", "me"},
                {"dbname=d", 0, "dbname", "d"},
                {"application_name=x client_encoding=LATIN1", 0, "application_name", "workerd/a"},
                {"application_name=x client_encoding=LATIN1", 0, "client_encoding", "UTF8"},
                {"", 0, "keepalives_idle", "10"},
                {"", 0, "keepalives_interval", "5"},
                {"", 0, "keepalives_count", "3"},
                {"", 0, "tcp_user_timeout", "10000"},
                {"tcp_user_timeout=7", 0, "tcp_user_timeout", "7"},
                /* hosts, one by one */
                {"", 0, "host", ""},
                {"host=/run/pg", 0, "host", "/run/pg"},
                {"host=a,b,c port=1,2,3", 1, "host", "b"},
                {"host=a,b,c port=1,2,3", 2, "port", "3"},
                {"host=a,b port=7", 1, "port", "7"},
                {"host=a,,c", 1, "host", ""},
                {"host=a,b port=1,", 1, "port", ""},
                {"host=a,b hostaddr=10.0.0.1,10.0.0.2", 1, "hostaddr", "10.0.0.2"},
                {"host=a,b hostaddr=10.0.0.1,10.0.0.2", 1, "host", "b"},
                {"hostaddr=10.0.0.1,10.0.0.2", 1, "host", ""},
                {"postgresql://me@h1:1,h2:2/d?connect_timeout=9", 1, "host", "h2"},
                {"postgresql://me@h1:1,h2:2/d?connect_timeout=9", 1, "port", "2"},
                {"postgresql://me@h1:1,h2:2/d?connect_timeout=9", 1, "user", "me"},
                /* only one that may write */
                {"host=a", 0, "target_session_attrs", ""},
                {"host=a,b", 0, "target_session_attrs", "read-write"},
                {"host=a,b target_session_attrs=any", 1, "target_session_attrs", "any"},
                /* in the clear only within the machine */
                {"", 0, "sslmode", ""},
                {"host=/run/pg", 0, "sslmode", ""},
                {"host=@abstract", 0, "sslmode", ""},
                {"host=127.0.0.1", 0, "sslmode", ""},
                {"host=db.example hostaddr=127.0.0.1", 0, "sslmode", ""},
                {"host=localhost", 0, "sslmode", ""},
                {"hostaddr=::1", 0, "sslmode", ""},
                {"host=10.0.0.1", 0, "sslmode", "verify-full"},
                {"host=localhost hostaddr=10.0.0.1", 0, "sslmode", "verify-full"},
                {"host=/run/pg,db.example", 1, "sslmode", "verify-full"},
                {"host=10.0.0.1 sslmode=disable", 0, "sslmode", "disable"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char *value = asked(rows[i].conninfo, rows[i].i, rows[i].keyword);
                if (strcmp(value, rows[i].value) != 0)
                        fail_msg("%s: %s=%s", rows[i].conninfo, rows[i].keyword, value);
                free(value);
        }
}

static void test_wrong_conninfo(void **state)
{
        static const char *const rows[] = {"host=a,b port=1,2,3", "host=a hostaddr=1.1.1.1,2.2.2.2",
                                           "colour=red", "no equals sign", "host='open"};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(db_conninfo_check(rows[i], &err), -EINVAL);
                assert_true(strncmp(err.text, "the connection string", 21) == 0);
        }
        assert_int_equal(db_conninfo_check("host=a,b port=1", NULL), 0);
}

static PGresult *make_result(void)
{
        PGresAttDesc columns[] = {{.name = (char *)"id"}, {.name = (char *)"yes"}, {.name = (char *)"name"}};
        PGresult *pg = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
        assert_true(PQsetResultAttrs(pg, ARRAY_SIZE(columns), columns));
        assert_true(PQsetvalue(pg, 0, 0, (char *)"-9223372036854775808", 20));
        assert_true(PQsetvalue(pg, 0, 1, (char *)"t", 1));
        assert_true(PQsetvalue(pg, 0, 2, (char *)"", 0));
        assert_true(PQsetvalue(pg, 1, 0, NULL, -1));
        assert_true(PQsetvalue(pg, 1, 1, NULL, -1));
        assert_true(PQsetvalue(pg, 1, 2, NULL, -1));
        assert_true(PQsetvalue(pg, 2, 1, (char *)"f", 1));
        return pg;
}

static void test_cells(void **state)
{
        (void)state;
        PGresult *pg = make_result();
        const struct db_result res = {.outcome = DB_OK, .pg = pg};
        assert_int_equal(db_rows(&res), 3);
        assert_true(db_int(&res, 0, "id", 5) == INT64_MIN);
        assert_int_equal(db_int(&res, 1, "id", 5), 5);
        assert_true(db_bool(&res, 0, "yes"));
        assert_false(db_bool(&res, 1, "yes"));
        assert_false(db_bool(&res, 2, "yes"));
        assert_string_equal(db_text(&res, 0, "name"), "");
        assert_null(db_text(&res, 1, "name"));
        PQclear(pg);
        assert_int_equal(db_rows(&(struct db_result){.outcome = DB_UNKNOWN}), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_advice),  cmocka_unit_test(test_bytea),
                cmocka_unit_test(test_targets), cmocka_unit_test(test_wrong_conninfo),
                cmocka_unit_test(test_cells),
        };
        return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
