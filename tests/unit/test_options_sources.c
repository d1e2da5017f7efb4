/* Options: file, environment and flags and their order, reload, and what the verbs print. */
#include "tests/unit/options_fixture.h"

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

int main(void)
{
#define WITH_FILE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                WITH_FILE(test_precedence_and_origin),
                WITH_FILE(test_wrong_command_lines),
                WITH_FILE(test_reload),
                WITH_FILE(test_help_and_version),
                WITH_FILE(test_dump_round_trip),
        };
        return cmocka_run_group_tests_name("options_sources", tests, NULL, NULL);
}
