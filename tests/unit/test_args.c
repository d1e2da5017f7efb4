/* The command line of orchctl against its command table; and the table itself. */
#include "ctl/args.h"

#include <string.h>

#include "common/mem.h"
#include "ctl/commands.h"
#include "tests/unit/cm.h"

#define MAX_ARGS 8

static int count(const char *const *argv)
{
        int n = 0;
        while (argv[n] != NULL)
                n++;
        return n;
}

static int parse(struct args *args, const char *const *argv, struct errinfo *err)
{
        return args_parse(args, count(argv), (char *const *)argv, err);
}

static void test_commands_are_found(void **state)
{
        static const struct {
                const char *argv[MAX_ARGS];
                const struct command *cmd;
                const char *words[4];
        } rows[] = {
                {{"orchctl"}, NULL, {NULL}},
                {{"orchctl", "status"}, &command_status, {NULL}},
                {{"orchctl", "--json", "status"}, &command_status, {NULL}},
                {{"orchctl", "--config", "status", "queue"}, &command_queue, {NULL}},
                {{"orchctl", "--config=x", "queue"}, &command_queue, {NULL}},
                {{"orchctl", "item", "show", "D-1"}, &command_item_show, {"D-1"}},
                {{"orchctl", "item", "--json", "show", "D-1"}, &command_item_show, {"D-1"}},
                {{"orchctl", "item", "show", "item"}, &command_item_show, {"item"}},
                {{"orchctl", "watch", "D-1", "D-2"}, &command_watch, {"D-1", "D-2"}},
                {{"orchctl", "item"}, NULL, {"item"}},
                {{"orchctl", "itemshow"}, NULL, {"itemshow"}},
                {{"orchctl", "item create", "demo"}, NULL, {"item create", "demo"}},
                {{"orchctl", "help", "item", "show"}, &command_help, {"item", "show"}},
                {{"orchctl", "item", "create", "demo", "--", "--title"},
                 &command_item_create,
                 {"demo", "--title"}},
                {{"orchctl", "item", "create", "demo", "-"}, &command_item_create, {"demo", "-"}},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct args args = ARGS_INIT;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(parse(&args, rows[i].argv, &err), 0);
                assert_ptr_equal(args.cmd, rows[i].cmd);
                for (size_t k = 0; k < ARRAY_SIZE(rows[i].words) && rows[i].words[k] != NULL; k++)
                        assert_string_equal(args_word(&args, k), rows[i].words[k]);
                assert_int_equal(args.n_words, count(rows[i].words));
                args_deinit(&args);
        }
}

static void test_option_values(void **state)
{
        static const struct {
                const char *argv[MAX_ARGS];
                const char *option, *value; /* NULL value: a switch */
        } rows[] = {
                {{"orchctl", "log", "D-1", "--role", "tester"}, "role", "tester"},
                {{"orchctl", "log", "--role=tester", "D-1"}, "role", "tester"},
                {{"orchctl", "log", "--role=", "D-1"}, "role", ""},
                {{"orchctl", "log", "--role=a=b", "D-1"}, "role", "a=b"},
                {{"orchctl", "log", "--role", "--follow", "D-1"},
                 "role",
                 "--follow"}, /* a value may look like an option */
                {{"orchctl", "log", "--role", "a", "--role", "b", "D-1"}, "role", "b"},
                {{"orchctl", "log", "-f", "D-1"}, "follow", NULL},
                {{"orchctl", "log", "--follow", "D-1"}, "follow", NULL},
                {{"orchctl", "-h", "log"}, "help", NULL},
                {{"orchctl", "item", "create", "d", "t", "--priority", "-1"}, "priority", "-1"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct args args = ARGS_INIT;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(parse(&args, rows[i].argv, &err), 0);
                assert_true(args_has(&args, rows[i].option));
                assert_false(args_has(&args, "no-color"));
                if (rows[i].value == NULL)
                        assert_null(args_value(&args, rows[i].option));
                else
                        assert_string_equal(args_value(&args, rows[i].option), rows[i].value);
                args_deinit(&args);
        }
}

static void test_wrong_command_lines(void **state)
{
        static const struct {
                const char *argv[MAX_ARGS];
                const char *why, *hint;
        } rows[] = {
                {{"orchctl", "status", "--jsno"}, "status does not know the option --jsno", "--json"},
                {{"orchctl", "status", "--folow=1"}, "status does not know the option --folow", NULL},
                {{"orchctl", "log", "D-1", "--folow"}, "log does not know the option --folow", "--follow"},
                {{"orchctl", "log", "D-1", "-x"}, "-x", NULL},
                {{"orchctl", "log", "D-1", "--role"}, "--role wants a value: ROLE", NULL},
                {{"orchctl", "log", "D-1", "--follow=yes"}, "--follow takes no value", NULL},
                {{"orchctl", "log", "D-1", "-fx"}, "--follow takes no value", NULL},
                {{"orchctl", "completion", "bash", "--json"},
                 "completion does not know the option --json",
                 NULL},
                {{"orchctl", "--bogus"}, "orchctl does not know the option --bogus", NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct args args = ARGS_INIT;
                struct errinfo err = ERRINFO_INIT;
                assert_true(parse(&args, rows[i].argv, &err) < 0);
                assert_non_null(strstr(err.text, rows[i].why));
                if (rows[i].hint != NULL)
                        assert_non_null(strstr(args.hint, rows[i].hint));
                else
                        assert_null(args.hint);
                args_deinit(&args);
        }
}

static void test_the_number_of_words(void **state)
{
        static const struct {
                const char *argv[MAX_ARGS];
                const char *why; /* NULL: fine */
        } rows[] = {
                {{"orchctl", "status"}, NULL},
                {{"orchctl", "status", "x"}, "status does not take \"x\""},
                {{"orchctl", "why"}, "why wants ITEM"},
                {{"orchctl", "why", "a"}, NULL},
                {{"orchctl", "why", "a", "b"}, "why does not take \"b\""},
                {{"orchctl", "watch"}, NULL},
                {{"orchctl", "watch", "a", "b", "c"}, NULL},
                {{"orchctl", "item", "create", "demo"}, "item create wants PROJECT TITLE"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct args args = ARGS_INIT;
                struct errinfo err = ERRINFO_INIT;
                assert_int_equal(parse(&args, rows[i].argv, &err), 0);
                assert_int_equal(args_check_count(&args, &err) == 0, rows[i].why == NULL);
                if (rows[i].why != NULL)
                        assert_string_equal(err.text, rows[i].why);
                args_deinit(&args);
        }
}

static void test_nearest_command(void **state)
{
        static const struct {
                const char *words[3];
                const char *nearest;
        } rows[] = {
                {{"statsu"}, "status"},
                {{"item", "sohw"}, "item show"},
                {{"migrate", "now"}, "migrate"},
                {{"xyzzy"}, NULL},
                {{"item"}, NULL},
                {{"config", "chekc"}, "config check"},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const char *nearest = command_nearest(rows[i].words, (size_t)count(rows[i].words));
                if (rows[i].nearest == NULL)
                        assert_null(nearest);
                else
                        assert_string_equal(nearest, rows[i].nearest);
        }
}

/* What help, manual page and completion rely on. */
static void test_every_command_is_complete(void **state)
{
        (void)state;
        for (size_t i = 0; commands[i] != NULL; i++) {
                const struct command *cmd = commands[i];
                char last = cmd->summary[strlen(cmd->summary) - 1];
                assert_non_null(cmd->run);
                assert_true(strlen(cmd->text) > 20);
                assert_true(last != '.' && cmd->summary[0] >= 'a' && cmd->summary[0] <= 'z');
                assert_non_null(cmd->examples);
                assert_non_null(cmd->examples[0].line);
                assert_true(cmd->max_args == COMMAND_ANY_ARGS || cmd->max_args >= cmd->min_args);
                for (const struct command_example *e = cmd->examples; e->line != NULL; e++) {
                        assert_non_null(strstr(e->line, cmd->name));
                        assert_non_null(e->what);
                }
                for (const struct command_option *o = cmd->options; o != NULL && o->name != NULL; o++)
                        assert_true(strlen(o->help) > 5);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(commands[k]->name, cmd->name);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commands_are_found),  cmocka_unit_test(test_option_values),
                cmocka_unit_test(test_wrong_command_lines), cmocka_unit_test(test_the_number_of_words),
                cmocka_unit_test(test_nearest_command),     cmocka_unit_test(test_every_command_is_complete),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
