/* How agents of each kind are started. */
#include "workerd/adapter.h"

#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

/* Only what adapter.c looks at. */
static struct options options_with(const char *command, const char *adapter)
{
        return (struct options){.agent_command = (char *)command,
                                .agent_adapter = (char *)adapter,
                                .agent_wrapper = (char *)"",
                                .agent_command_analyst = (char *)"",
                                .agent_command_architect = (char *)"",
                                .agent_command_developer = (char *)"",
                                .agent_command_reviewer = (char *)"",
                                .agent_command_tester = (char *)"",
                                .agent_command_deployer = (char *)"",
                                .agent_adapter_analyst = (char *)"",
                                .agent_adapter_architect = (char *)"",
                                .agent_adapter_developer = (char *)"",
                                .agent_adapter_reviewer = (char *)"",
                                .agent_adapter_tester = (char *)"",
                                .agent_adapter_deployer = (char *)""};
}

static void test_which(void **state)
{
        static const struct {
                const char *command, *adapter;
                int r;
                enum adapter is;
                const char *why;
        } rows[] = {
                {"claude -p", "auto", 0, ADAPTER_CLAUDE, NULL},
                {"/opt/x/claude -p --model opus", "auto", 0, ADAPTER_CLAUDE, NULL},
                {"/opt/claude/run", "auto", 0, ADAPTER_COMMAND, NULL},
                {"my-claude", "auto", 0, ADAPTER_COMMAND, NULL},
                {"command", "auto", 0, ADAPTER_COMMAND, NULL},
                {"my-claude", "claude", 0, ADAPTER_CLAUDE, NULL},
                {"claude -p", "command", 0, ADAPTER_COMMAND, NULL},
                {"claude -p", "gpt", -EINVAL, 0, "there is no adapter \"gpt\""},
                {"claude -p", "", -EINVAL, 0, "there is no adapter \"\""},
                {"claude -p --resume x", "auto", -EINVAL, 0, "--resume"},
                {"claude -p --output-format=json", "auto", -EINVAL, 0, "--output-format"},
                {"claude -p --resume x", "command", 0, ADAPTER_COMMAND, NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct options opt = options_with(rows[i].command, rows[i].adapter);
                struct errinfo err = ERRINFO_INIT;
                enum adapter got = ADAPTER_COMMAND;
                assert_int_equal(adapter_find(&opt, "tester", &got, &err), rows[i].r);
                if (rows[i].r == 0)
                        assert_int_equal(got, rows[i].is);
                else
                        assert_non_null(strstr(err.text, rows[i].why));
        }
}

static void test_a_role_of_its_own(void **state)
{
        struct options opt = options_with("claude -p", "auto");
        struct errinfo err = ERRINFO_INIT;
        enum adapter got;
        (void)state;
        opt.agent_command_tester = (char *)"./check";
        opt.agent_adapter_reviewer = (char *)"command";
        assert_string_equal(adapter_command(&opt, "tester"), "./check");
        assert_string_equal(adapter_command(&opt, "analyst"), "claude -p");
        assert_int_equal(adapter_find(&opt, "tester", &got, &err), 0);
        assert_int_equal(got, ADAPTER_COMMAND);
        assert_int_equal(adapter_find(&opt, "reviewer", &got, &err), 0);
        assert_int_equal(got, ADAPTER_COMMAND);
        assert_int_equal(adapter_find(&opt, "analyst", &got, &err), 0);
        assert_int_equal(got, ADAPTER_CLAUDE);
}

static void test_words(void **state)
{
        static const struct {
                const char *command, *wrapper;
                struct adapter_session session;
                const char *words; /* NULL: refused */
        } rows[] = {
                {"claude",
                 "",
                 {"S", NULL},
                 "claude -p --output-format stream-json --verbose --strict-mcp-config --session-id S"},
                {"claude --print --verbose",
                 "",
                 {"S", "R"},
                 "claude --print --verbose --output-format stream-json --strict-mcp-config --resume R "
                 "--fork-session "
                 "--session-id S"},
                {"./agent 'a b'", "", {"S", "R"}, "./agent a b"},
                {"./agent",
                 "bwrap --bind %t %t --setenv HOME %h --tmpfs=%T 100%% -- ",
                 {NULL, NULL},
                 "bwrap --bind /s/runs/7-2/tree /s/runs/7-2/tree --setenv HOME /s/runs/7-2/home "
                 "--tmpfs=/s/runs/7-2/tmp 100% -- ./agent"},
                {"claude",
                 "env X=-p %f",
                 {"S", NULL},
                 "env X=-p /s/runs/7-2/task.md claude -p --output-format stream-json --verbose "
                 "--strict-mcp-config "
                 "--session-id S"},
                {"./agent", "env %x", {NULL, NULL}, NULL},
                {"./agent", "env %", {NULL, NULL}, NULL},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct options opt = options_with(rows[i].command, "auto");
                _cleanup_(argv_deinit) struct argv words = ARGV_INIT;
                struct errinfo err = ERRINFO_INIT;
                struct strbuf all = STRBUF_INIT;
                struct run_dir rd;
                enum adapter a;
                opt.agent_wrapper = (char *)rows[i].wrapper;
                run_dir_names(&rd, "/s", 7, 2);
                assert_int_equal(adapter_find(&opt, "tester", &a, &err), 0);
                int r = adapter_words(a, &opt, "tester", &rd, &rows[i].session, &words, &err);
                assert_int_equal(r == 0, rows[i].words != NULL);
                for (size_t k = 0; r == 0 && k < words.n; k++)
                        strbuf_addf(&all, "%s%s", k > 0 ? " " : "", words.words[k]);
                if (r == 0)
                        assert_string_equal(all.buf, rows[i].words);
                else
                        assert_non_null(strstr(err.text, "agent_wrapper"));
                strbuf_deinit(&all);
                run_dir_deinit(&rd);
        }
}

static void test_environment(void **state)
{
        _cleanup_(argv_deinit) struct argv env = ARGV_INIT, other = ARGV_INIT;
        (void)state;
        argv_env(&env, "DISABLE_AUTOUPDATER", "0"); /* as it was given */
        adapter_env(ADAPTER_CLAUDE, &env);
        assert_int_equal(env.n, 3);
        assert_string_equal(env.words[0], "DISABLE_AUTOUPDATER=0");
        adapter_env(ADAPTER_COMMAND, &other);
        assert_int_equal(other.n, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_which),
                cmocka_unit_test(test_a_role_of_its_own),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_environment),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
