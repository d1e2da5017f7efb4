/* Connection strings as people may see them; libpq says what their secrets are. */
#include "common/conninfo.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static void test_shown(void **state)
{
        static const struct {
                const char *conninfo, *shown; /* NULL: as it is */
        } rows[] = {
                {"", NULL},
                {"dbname=orch", NULL},
                {" host = /run/pg  dbname='an \\' orch' ", NULL},
                {"host=h passfile=/etc/orch/pgpass dbname=orch", NULL},
                {"service=orch", NULL},
                {"postgresql://u@h:5432/db?sslmode=require", NULL},
                {"postgresql:///db?host=/run/pg", NULL},
                {"dbname=orch nonsense", NULL},

                {"password=x", "password=***"},
                {"host=h password=x dbname=orch", "host=h password=*** dbname=orch"},
                {"password = 'a b' user=u", "password = *** user=u"},
                {"password=a\\ b user=u", "password=*** user=u"},
                {"password='it\\'s' sslpassword=y port=1", "password=*** sslpassword=*** port=1"},
                {"password=", "password=***"},

                /* what libpq would refuse */
                {"password=my word host=h", "password=*** ***"},
                {"password=my pet=1 host=h", "password=*** ***"},
                {"password='it's me' host=h", "password=******"},
                {"password='open host=h", "***"},
                {"user=u password 'x'", "user=u ***"},
                {"PASSWORD=x", "PASSWORD=***"},

                {"postgresql://u:x@h/db", "postgresql://u:***@h/db"},
                {"postgres://u:x/y@z@h/db?user=v", "postgres://u:***@h/db?user=v"},
                {"postgres://u@h/db?password=x&sslmode=require",
                 "postgres://u@h/db?password=***&sslmode=require"},
                {"postgres://u:x@h/db?sslpassword=y", "postgres://u:***@h/db?sslpassword=***"},
                {"postgres://h/db?pass%77ord=x", "postgres://h/db?pass%77ord=***"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
                conninfo_show(rows[i].conninfo, &sb);
                assert_string_equal(sb.buf, rows[i].shown != NULL ? rows[i].shown : rows[i].conninfo);
                bool told = strcmp(conninfo_reason(rows[i].conninfo, "reason"), "reason") == 0;
                assert_int_equal(told, rows[i].shown == NULL);
        }
}

/* Each option of libpq that it calls a password is hidden, in words and in a URI. */
static void test_all_secrets_of_libpq(void **state)
{
        PQconninfoOption *all = PQconndefaults();
        unsigned secrets = 0;
        (void)state;
        assert_non_null(all);
        for (PQconninfoOption *o = all; o->keyword != NULL; o++) {
                if (strchr(o->dispchar, '*') == NULL)
                        continue;
                static const char *const forms[] = {"user=u %s=canary", "postgresql://u@h/?%s=canary&port=1"};
                for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
                        _cleanup_(strbuf_deinit) struct strbuf given = STRBUF_INIT, shown = STRBUF_INIT;
                        const char *at = strstr(forms[i], "%s");
                        strbuf_add(&given, forms[i], (size_t)(at - forms[i]));
                        strbuf_addstr(&given, o->keyword);
                        strbuf_addstr(&given, at + 2);
                        conninfo_show(given.buf, &shown);
                        assert_null(strstr(shown.buf, "canary"));
                }
                secrets++;
        }
        PQconninfoFree(all);
        assert_true(secrets >= 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_shown),
                cmocka_unit_test(test_all_secrets_of_libpq),
        };
        return cmocka_run_group_tests_name("conninfo", tests, NULL, NULL);
}
