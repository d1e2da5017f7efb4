/* supervisor.state is read back as it was written, and nothing else is taken for it. */
#include "common/supervisor_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static char folder[] = "/tmp/test_state.XXXXXX";
static char path[sizeof(folder) + 32];

static int set_up(void **state)
{
        (void)state;
        if (mkdtemp(folder) == NULL)
                return -1;
        (void)snprintf(path, sizeof(path), "%s/supervisor.state", folder);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        (void)unlink(path);
        return rmdir(folder); /* nothing else is left in it */
}

static void write_text(const char *text)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

static void test_reads_what_was_written(void **state)
{
        struct supervisor_state s = {.pid = 4711, .generation = 3, .upgrades = INT32_MAX}, again;
        (void)state;
        for (int outcome = 0; outcome < UPGRADE_OUTCOMES; outcome++) {
                s.outcome = (enum upgrade_outcome)outcome;
                (void)snprintf(s.reason, sizeof(s.reason), "%s", outcome == 3 ? "a=b: \"c\"" : "");
                assert_int_equal(supervisor_state_write(folder, &s, NULL), 0);
                assert_int_equal(supervisor_state_read(folder, &again, NULL), 0);
                assert_int_equal(again.pid, s.pid);
                assert_int_equal(again.generation, s.generation);
                assert_int_equal(again.upgrades, s.upgrades);
                assert_int_equal(again.outcome, outcome);
                assert_string_equal(again.reason, s.reason);
        }
}

static void test_the_longest_reason_fits(void **state)
{
        struct supervisor_state s = {.pid = 1}, again;
        (void)state;
        memset(s.reason, 'x', sizeof(s.reason) - 1);
        assert_int_equal(supervisor_state_write(folder, &s, NULL), 0);
        assert_int_equal(supervisor_state_read(folder, &again, NULL), 0);
        assert_string_equal(again.reason, s.reason);
}

#define HEAD "pid=1\ngeneration=1\nupgrades=0\n"

static void test_refuses_what_is_none(void **state)
{
        static const char *const texts[] = {
                "",
                "pid=1\n",
                HEAD "outcome=none\nreason=",
                HEAD "outcome=none\nreason=\nmore\n",
                HEAD "outcome=perhaps\nreason=\n",
                HEAD "outcome=\nreason=\n",
                "pid=\ngeneration=1\nupgrades=0\noutcome=none\nreason=\n",
                "pid=-1\ngeneration=1\nupgrades=0\noutcome=none\nreason=\n",
                "pid=12345678901\ngeneration=1\nupgrades=0\noutcome=none\nreason=\n",
                "pid=1x\ngeneration=1\nupgrades=0\noutcome=none\nreason=\n",
                "generation=1\npid=1\nupgrades=0\noutcome=none\nreason=\n",
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct supervisor_state s = {.pid = -1};
                struct errinfo err = ERRINFO_INIT;
                write_text(texts[i]);
                if (supervisor_state_read(folder, &s, &err) != -EPROTO || err.text[0] == '\0')
                        fail_msg("text %zu was read", i);
                assert_int_equal(s.pid, -1);
        }
}

static void test_says_what_is_not_possible(void **state)
{
        struct supervisor_state s = {.pid = 1};
        struct errinfo err = ERRINFO_INIT;
        (void)state;
        assert_int_equal(supervisor_state_read("/nonexistent", &s, &err), -ENOENT);
        assert_non_null(strstr(err.text, "/nonexistent/supervisor.state"));
        assert_int_equal(supervisor_state_write("/nonexistent", &s, &err), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_what_was_written),
                cmocka_unit_test(test_the_longest_reason_fits),
                cmocka_unit_test(test_refuses_what_is_none),
                cmocka_unit_test(test_says_what_is_not_possible),
        };
        return cmocka_run_group_tests_name("supervisor_state", tests, set_up, tear_down);
}
