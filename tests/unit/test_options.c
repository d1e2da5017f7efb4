/* Options: sources and their order, what is refused and how it is said, reload, and what is printed. */
#include "common/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static void options_freep(struct options **o)
{
        options_free(*o);
}

/* A configuration file for the length of a test. */
static char path[64];

static int setup(void **state)
{
        (void)state;
        (void)snprintf(path, sizeof(path), "/tmp/orch-options-XXXXXX");
        int fd = mkstemp(path);
        return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
        (void)state;
        return unlink(path);
}

static void write_config(const char *text, size_t len)
{
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
}

static int load_text(const char *text, struct options **ret, struct errinfo *err)
{
        write_config(text, strlen(text));
        return options_load_file(path, ret, err);
}

static int load_words(const char *const *words, struct options **ret, struct errinfo *err)
{
        char *argv[12] = {(char *)"orch-test"};
        int argc = 1;
        for (; words[argc - 1] != NULL; argc++)
                argv[argc] = (char *)words[argc - 1];
        argv[argc] = NULL;
        return options_load(argc, argv, "orch-test", "Does what tests do.", ret, err);
}

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

struct seen {
        const char *name;
        char value[128], origin[32];
};

static void look(void *arg, const struct option_info *info)
{
        struct seen *seen = arg;
        if (strcmp(info->name, seen->name) != 0)
                return;
        (void)snprintf(seen->value, sizeof(seen->value), "%s", info->value);
        (void)snprintf(seen->origin, sizeof(seen->origin), "%s", info->origin);
}

static void assert_option(const struct options *o, const char *name, const char *value, const char *origin)
{
        struct seen seen = {.name = name};
        options_visit(o, look, &seen);
        assert_string_equal(seen.value, value);
        assert_string_equal(seen.origin, origin);
}

static void test_precedence_and_origin(void **state)
{
        _cleanup_(options_freep) struct options *o = NULL;
        struct errinfo err = ERRINFO_INIT;
        static const char text[] =
                "worker_slots = 3\nbeat_interval = 3000ms\n\nhttp_max_body=3MiB\nhost_name = 'a '\n";
        const char *const words[] = {"--config", path, "--worker_slots=5", "--workerd-count", "6", NULL};
        (void)state;
        write_config(text, strlen(text));
        setenv("ORCH_WORKER_SLOTS", "4", 1);
        setenv("ORCH_BEAT_INTERVAL", "4s", 1);
        setenv("ORCH_ROLE", "of no concern", 1);
        int r = load_words(words, &o, &err);
        unsetenv("ORCH_WORKER_SLOTS");
        unsetenv("ORCH_BEAT_INTERVAL");
        unsetenv("ORCH_ROLE");
        assert_int_equal(r, OPTIONS_OK);
        assert_option(o, "worker_slots", "5", "flag");
        assert_option(o, "workerd_count", "6", "flag");
        assert_option(o, "beat_interval", "4s", "environment");
        assert_option(o, "http_max_body", "3MiB", "file:4");
        assert_option(o, "host_name", "\"a \"", "file:5");
        assert_option(o, "webhookd_count", "2", "default");
        assert_option(NULL, "worker_slots", "2", "default");

        _cleanup_(options_freep) struct options *by_env = NULL;
        setenv("ORCH_CONFIG", path, 1);
        r = options_load_file(NULL, &by_env, &err);
        unsetenv("ORCH_CONFIG");
        assert_int_equal(r, OPTIONS_OK);
        assert_int_equal(by_env->worker_slots, 3);
}

static void test_wrong_command_lines(void **state)
{
        static const struct {
                const char *words[4], *says;
        } rows[] = {
                {{"run"}, "unexpected argument \"run\""},
                {{"-x"}, "unexpected argument \"-x\""},
                {{"--"}, "unexpected argument \"--\""},
                {{"--config"}, "--config needs a value"},
                {{"--worker_slots"}, "--worker_slots needs a value"},
                {{"--worker-slot=1"}, "unknown option \"worker_slot\"; did you mean \"worker_slots\"?"},
                {{"--=1"}, "unknown option \"\""},
                {{"--worker_slots=many"}, "--worker_slots: \"many\" is not a whole number"},
                {{"--config=/no/such/file"}, "cannot read the configuration file /no/such/file"},
                {{"--check-config", "--worker_slots=0"}, "--worker_slots: the value must be from 1 to 256"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct options *o = NULL;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(load_words(rows[i].words, &o, &err), OPTIONS_INVALID);
                if (strstr(err.text, rows[i].says) == NULL)
                        fail_msg("row %zu says: %s", i, err.text);
        }
        struct options *o = NULL;
        struct errinfo err = ERRINFO_INIT;
        setenv("ORCH_WORKER_SLOTS", "", 1);
        int r = options_load_file(NULL, &o, &err);
        unsetenv("ORCH_WORKER_SLOTS");
        assert_int_equal(r, OPTIONS_INVALID);
        assert_string_equal(err.text, "environment variable ORCH_WORKER_SLOTS: \"\" is not a whole number");
}

static void test_reload(void **state)
{
        static const char before[] = "worker_slots = 3\nworkerd_count = 3\ndatabase = one\n";
        static const char after[] =
                "worker_slots = 4\nworkerd_count = 4\n\ndatabase = two\nagent_path = /bin\n";
        _cleanup_(options_freep) struct options *old = NULL, *next = NULL, *third = NULL;
        struct errinfo err = ERRINFO_INIT;
        const char *const words[] = {"--config", path, "--agent_env=A", NULL};
        (void)state;
        write_config(before, strlen(before));
        assert_int_equal(load_words(words, &old, &err), OPTIONS_OK);
        write_config(after, strlen(after));
        assert_int_equal(options_reload(old, &next, &err), OPTIONS_OK);

        log_init("test", LOGL_ERROR); /* the two warnings are not for the test's output */
        assert_int_equal(options_log_ignored_changes(old, next), 2);
        assert_int_equal(next->worker_slots, 4);
        assert_string_equal(next->agent_path, "/bin");
        assert_string_equal(next->agent_env, "A");
        assert_int_equal(next->workerd_count, 3);
        assert_string_equal(next->database, "one");
        assert_option(next, "database", "one", "file:3");
        assert_int_equal(old->worker_slots, 3);

        /* A reload after the reload still has the sources, and still says what is ignored. */
        assert_int_equal(options_reload(next, &third, &err), OPTIONS_OK);
        assert_int_equal(options_log_ignored_changes(next, third), 2);
        assert_string_equal(third->database, "one");

        struct options *bad = NULL;
        write_config("worker_slots = x", 16);
        assert_int_equal(options_reload(third, &bad, &err), OPTIONS_INVALID);
        assert_null(bad);
        assert_non_null(strstr(err.text, "line 1"));
        assert_int_equal(third->worker_slots, 4);
}

/* Runs a verb and gives what it printed. */
static char *printed(const char *const *words, int expect)
{
        FILE *file = tmpfile();
        struct options *o = NULL;
        struct errinfo err = ERRINFO_INIT;
        struct strbuf text = STRBUF_INIT;
        assert_non_null(file);
        (void)fflush(stdout);
        int saved = dup(STDOUT_FILENO);
        assert_true(saved >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
        int r = load_words(words, &o, &err);
        (void)fflush(stdout);
        assert_true(dup2(saved, STDOUT_FILENO) >= 0);
        close(saved);
        assert_int_equal(r, expect);
        assert_null(o);
        rewind(file);
        char chunk[512];
        for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
                strbuf_add(&text, chunk, n);
        (void)fclose(file);
        return strbuf_take(&text);
}

static void test_help_and_version(void **state)
{
        static const char *const help[] = {"--help", NULL}, *const version[] = {"--no-such=1", "--version",
                                                                                NULL};
        _cleanup_(freep) char *text = printed(help, OPTIONS_DONE);
        (void)state;
        assert_non_null(strstr(text, "Usage: orch-test [--config FILE]"));
        assert_non_null(strstr(text, "Does what tests do."));
        assert_non_null(strstr(text, "\nAgents:\n"));
        assert_non_null(strstr(text, "  --beat_interval duration\n"));
        assert_non_null(strstr(text, "Default 5s, from 100ms to 1m.\n"));
        assert_non_null(strstr(text, "Default dbname=orch. A change needs a restart.\n"));
        _cleanup_(freep) char *said = printed(version, OPTIONS_DONE);
        assert_memory_equal(said, "orch-test ", 10);
}

/* What --dump-config prints is a configuration file, and means the same. */
static void test_dump_round_trip(void **state)
{
        static const char text[] = "database = \"a # \\\"b\\\" \\\\\"\nhost_name = ' '\nworker_slots = 7\n";
        const char *const dump[] = {"--dump-config", "--config", path, NULL};
        const char *const check[] = {"--check-config", "--config", path, NULL};
        _cleanup_(options_freep) struct options *o = NULL;
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        write_config(text, strlen(text));
        _cleanup_(freep) char *first = printed(dump, OPTIONS_DONE);
        assert_non_null(strstr(first, "database = \"a # \\\"b\\\" \\\\\"  # file:1\n"));
        assert_non_null(strstr(first, "agent_command = claude -p  # default\n"));
        write_config(first, strlen(first));
        assert_int_equal(options_load_file(path, &o, &err), OPTIONS_OK);
        assert_string_equal(o->database, "a # \"b\" \\");
        assert_string_equal(o->host_name, " ");
        assert_int_equal(o->worker_slots, 7);
        _cleanup_(freep) char *said = printed(check, OPTIONS_DONE);
        assert_non_null(strstr(said, ": the configuration is valid\n"));
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
                WITH_FILE(test_units),
                WITH_FILE(test_nearest),
                WITH_FILE(test_precedence_and_origin),
                WITH_FILE(test_wrong_command_lines),
                WITH_FILE(test_reload),
                WITH_FILE(test_help_and_version),
                WITH_FILE(test_dump_round_trip),
                WITH_FILE(test_every_row),
        };
        return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
