/* Options: how a file is read, what is refused and how that is said. */
#include "tests/unit/options_fixture.h"

static void test_defaults_are_valid(void **state)
{
        _cleanup_(options_freep) struct options *o = NULL;
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        assert_int_equal(options_load_file(NULL, &o, &err), OPTIONS_OK);
        assert_string_equal(o->database, "dbname=orch");
        assert_int_equal(o->worker_slots, 2);
        assert_int_equal(o->beat_interval_ms, 5000);
        assert_int_equal(o->http_max_body_bytes, 4 << 20);
}

static void test_values(void **state)
{
        static const struct {
                const char *text, *database;
        } rows[] = {
                {"database = dbname=x", "dbname=x"},
                {"database=dbname=x user=y", "dbname=x user=y"},
                {"\t database\t=\tx  \t\r\n", "x"},
                {"database = x # comment", "x"},
                {"database = x#y", "x#y"},
                {"database = #x", ""},
                {"database =", ""},
                {"database = \"\"", ""},
                {"database = \"a # b\"  # comment", "a # b"},
                {"database = 'a \"b\" \\'", "a \"b\" \\"},
                {"database = \"a \\\"b\\\" \\\\ \\n\"", "a \"b\" \\ \\n"},
                {"database = it's", "it's"},
                {"database = 'a \\\" b \\\\'", "a \\\" b \\\\"},
                {"# database = y\n\n   # x\ndatabase = z", "z"},
                {"database = a\tb", "a\tb"},
                {"database = \xd0\x96", "\xd0\x96"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(options_freep) struct options *o = NULL;
                struct errinfo err = ERRINFO_INIT;
                if (load_text(rows[i].text, &o, &err) != OPTIONS_OK)
                        fail_msg("row %zu: %s", i, err.text);
                assert_string_equal(o->database, rows[i].database);
        }
}

static void test_refused(void **state)
{
        static const struct {
                const char *text, *says;
        } rows[] = {
                {"worker_slot = 2",
                 ": line 1: unknown option \"worker_slot\"; did you mean \"worker_slots\"?"},
                {"\n\nagent_comand = x",
                 ": line 3: unknown option \"agent_comand\"; did you mean \"agent_command\"?"},
                {"quite_other = 1", ": line 1: unknown option \"quite_other\""},
                {"Worker_Slots = 1", "did you mean \"worker_slots\"?"},
                {"Where things are = 1", "line 1: the name of an option is not followed by ="},
                {"worker_slots", "line 1: the name of an option is not followed by ="},
                {"worker_slots 3", "line 1: the name of an option is not followed by ="},
                {"= 3", "line 1: it does not begin with the name of an option"},
                {"worker_slots = 0", "line 1: option \"worker_slots\": the value must be from 1 to 256"},
                {"worker_slots = 257", "from 1 to 256"},
                {"worker_slots = -1", "from 1 to 256"},
                {"worker_slots = 2x", "\"2x\" is not a whole number"},
                {"worker_slots = +2", "\"+2\" is not a whole number"},
                {"worker_slots = 0x2", "is not a whole number"},
                {"worker_slots =", "\"\" is not a whole number"},
                {"worker_slots = -", "\"-\" is not a whole number"},
                {"worker_slots = 99999999999999999999", "is not a whole number"},
                {"beat_interval = 5", "\"5\" is not a whole number and a unit, such as 500ms"},
                {"beat_interval = 5sec", "is not a whole number and a unit"},
                {"beat_interval = 1.5s", "is not a whole number and a unit"},
                {"beat_interval = 99ms", "the value must be from 100ms to 1m"},
                {"beat_interval = 61s", "the value must be from 100ms to 1m"},
                {"http_max_body = 4MB", "\"4MB\" is not a whole number and a unit, such as 4096B"},
                {"http_max_body = 1000B", "the value must be from 1KiB to 25MiB"},
                {"database = \"x", "line 1: the closing quote is missing"},
                {"database = 'x\nstate_dir = '", "line 1: the closing quote is missing"},
                {"database = \"x\\", "line 1: the closing quote is missing"},
                {"database = \"x\" y", "line 1: something follows the closing quote"},
                {"database = x\x01y", "line 1: option \"database\": the value has a control character in it"},
                {"database = a\n#\ndatabase = b",
                 "line 3: option \"database\" is set a second time, after file:1"},
                {"log_level = loud", "option \"log_level\": \"loud\" is not error, warning, info or debug"},
                {"agent_command = claude 'x", "option \"agent_command\": a ' has no closing '"},
                {"agent_command_tester = \" \"", "option \"agent_command_tester\": the command is empty"},
                {"http_max_body = 2MiB\nhttp_max_buffered = 1MiB",
                 "must not be smaller than \"http_max_body\""},
                {"beat_interval = 15s",
                 "option \"freeze_after\" (45s) must be more than 3 times \"beat_interval\" (15s)"},
                {"freeze_after = 15s", "must be more than 3 times \"beat_interval\" (5s)"},
                {"freeze_after = 46876ms",
                 "option \"takeover_after\" (75s) must be at least 1.6 times \"freeze_after\" (46876ms)"},
                {"beat_interval = 1s\nfreeze_after = 10s\ntakeover_after = 16s\nreaper_interval = 3201ms",
                 "option \"reaper_interval\" (3201ms) must be at most a fifth of \"takeover_after\" (16s)"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(options_freep) struct options *o = NULL;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(load_text(rows[i].text, &o, &err), OPTIONS_INVALID);
                assert_null(o);
                if (strstr(err.text, rows[i].says) == NULL)
                        fail_msg("row %zu says: %s", i, err.text);
                if (strstr(rows[i].says, "line") != NULL)
                        assert_memory_equal(err.text, path, strlen(path));
        }
        struct options *o = NULL;
        struct errinfo err = ERRINFO_INIT;
        write_config("database = a\0b", 14);
        assert_int_equal(options_load_file(path, &o, &err), OPTIONS_INVALID);
        assert_non_null(strstr(err.text, "line 1: it has a NUL byte in it"));
        assert_int_equal(options_load_file("/no/such/file", &o, &err), OPTIONS_INVALID);
        assert_string_equal(err.text,
                            "cannot read the configuration file /no/such/file: No such file or directory");
        assert_int_equal(options_load_file("/no/such/file", &o, NULL), OPTIONS_INVALID);
}

/* A shim that did not freeze its agent is killed when there is time left, before others begin, to do it. */
static void check_doubt(const struct options *o)
{
        int64_t killed_ms = o->freeze_after_ms + options_freeze_doubt_ms(o);
        assert_true(options_freeze_doubt_ms(o) * 11 > o->takeover_after_ms); /* time to freeze */
        assert_true(killed_ms * 4 < o->takeover_after_ms * 3);
}

/* The time limits that keep a job from running twice, and a database that comes back from freezing agents:
 * between the defaults, and at the edges of what is accepted. */
static void test_liveness_inequalities(void **state)
{
        enum { PARTITION_SEEN_MS = 25000, RECONNECT_MS = 15000 }; /* the keepalives and the backoff of db.h */
        static const char *const accepted[] = {
                "beat_interval = 14999ms",
                "freeze_after = 15001ms",
                "freeze_after = 46875ms", /* 1.6 times this is exactly 75 s */
                ("beat_interval = 100ms\nfreeze_after = 301ms\ntakeover_after = 500ms\n"
                 "reaper_interval = 100ms"),
                "beat_interval = 1m\nfreeze_after = 1h\ntakeover_after = 2h",
        };
        _cleanup_(options_freep) struct options *o = NULL;
        (void)state;
        assert_int_equal(options_load_file(NULL, &o, NULL), OPTIONS_OK);
        assert_true(o->beat_interval_ms * 3 < o->freeze_after_ms);
        assert_true(o->freeze_after_ms * 16 <= o->takeover_after_ms * 10);
        assert_true(PARTITION_SEEN_MS + RECONNECT_MS <= o->freeze_after_ms);
        assert_true(o->takeover_after_ms < o->frozen_kill_after_ms);
        check_doubt(o);
        for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
                _cleanup_(options_freep) struct options *ok = NULL;
                struct errinfo err = ERRINFO_INIT;
                if (load_text(accepted[i], &ok, &err) != OPTIONS_OK)
                        fail_msg("row %zu: %s", i, err.text);
                check_doubt(ok);
        }
}

static void test_units(void **state)
{
        static const struct {
                const char *text;
                int64_t ms, bytes; /* -1: refused */
        } rows[] = {
                {"0ms", 0, -1},
                {"1ms", 1, -1},
                {"10s", 10000, -1},
                {"5m", 300000, -1},
                {"1h", 3600000, -1},
                {"7d", 604800000, -1},
                {"1B", -1, 1},
                {"64KiB", -1, 65536},
                {"4MiB", -1, 4194304},
                {"1GiB", -1, 1073741824},
                {"4mib", -1, -1},
                {"10", -1, -1},
                {"", -1, -1},
                {"s", -1, -1},
                {"-1s", -1, -1},
                {" 1s", -1, -1},
                {"1 s", -1, -1},
                {"1s ", -1, -1},
                {"1h30m", -1, -1},
                {"9223372036854775807ms", INT64_MAX, -1},
                {"9223372036854775808ms", -1, -1},
                {"9223372036854775807s", -1, -1},
                {"9007199254740992KiB", -1, -1},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int64_t ms = -1, bytes = -1;
                assert_int_equal(options_parse_duration(rows[i].text, &ms), rows[i].ms < 0 ? -EINVAL : 0);
                assert_int_equal(options_parse_size(rows[i].text, &bytes), rows[i].bytes < 0 ? -EINVAL : 0);
                assert_int_equal(ms, rows[i].ms);
                assert_int_equal(bytes, rows[i].bytes);
        }
}

static void test_nearest(void **state)
{
        static const struct {
                const char *name, *nearest;
        } rows[] = {
                {"databse", "database"},
                {"database", "database"},
                {"statedir", "state_dir"},
                {"listen_pubic", "listen_public"},
                {"x", NULL},
                {"", NULL},
                {"completely_other", NULL},
                {"a_name_that_is_far_longer_than_the_name_of_any_option_could_ever_be", NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *got = options_nearest(rows[i].name);
                if (rows[i].nearest == NULL)
                        assert_null(got);
                else
                        assert_string_equal(got, rows[i].nearest);
        }
}

static void check_row(void *arg, const struct option_info *info)
{
        size_t *n = arg;
        ++*n;
        assert_string_equal(info->origin, "default");
        assert_true(strlen(info->help) > 10 && info->help[strlen(info->help) - 1] != '.');
        assert_true(strlen(info->group) > 0);
        assert_ptr_equal(options_nearest(info->name), info->name);
        assert_true((info->min == NULL) == (info->max == NULL));
}

static void test_every_row(void **state)
{
        size_t n = 0;
        (void)state;
        options_visit(NULL, check_row, &n);
        assert_true(n > 30);
}

int main(void)
{
#define WITH_FILE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                WITH_FILE(test_defaults_are_valid),
                WITH_FILE(test_values),
                WITH_FILE(test_refused),
                WITH_FILE(test_liveness_inequalities),
                WITH_FILE(test_units),
                WITH_FILE(test_nearest),
                WITH_FILE(test_every_row),
        };
        return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
