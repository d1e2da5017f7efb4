/* The words that workerd says to the shim: as lines, and as they come over a socket. */
#include "shim/control.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_lines(void **state)
{
        static const struct {
                const char *line;
                enum control_word word;
                int64_t sent_ms;
        } rows[] = {
                {"cancel", CONTROL_CANCEL, -1},
                {"shutdown", CONTROL_SHUTDOWN, -1},
                {"kill", CONTROL_KILL, -1},
                {"renew 0", CONTROL_RENEW, 0},
                {"renew 999999999999999999", CONTROL_RENEW, 999999999999999999},
                {"renew 1000000000000000000", CONTROL_NOTHING, -1},
                {"renew ", CONTROL_NOTHING, -1},
                {"renew", CONTROL_NOTHING, -1},
                {"renew  1", CONTROL_NOTHING, -1},
                {"renew -1", CONTROL_NOTHING, -1},
                {"renew +1", CONTROL_NOTHING, -1},
                {"renew 1 ", CONTROL_NOTHING, -1},
                {"renew 1x", CONTROL_NOTHING, -1},
                {"renew1", CONTROL_NOTHING, -1},
                {"", CONTROL_NOTHING, -1},
                {"kil", CONTROL_NOTHING, -1},
                {"kill ", CONTROL_NOTHING, -1},
                {"KILL", CONTROL_NOTHING, -1},
                {"cancelled", CONTROL_NOTHING, -1},
                {"C", CONTROL_NOTHING, -1},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int64_t sent_ms = -1;
                if (control_parse(rows[i].line, strlen(rows[i].line), &sent_ms) != rows[i].word)
                        fail_msg("row %zu: %s", i, rows[i].line);
                if (sent_ms != rows[i].sent_ms)
                        fail_msg("row %zu: %lld", i, (long long)sent_ms);
        }
        int64_t sent_ms;
        assert_int_equal(control_parse("kill\0", 5, &sent_ms), CONTROL_NOTHING);
}

/* What has come so far, as words; 'x' when the peer was hung up on. */
static void hear(struct control *c, const char *want)
{
        static const char letters[] = {[CONTROL_RENEW] = 'r',
                                       [CONTROL_CANCEL] = 'c',
                                       [CONTROL_SHUTDOWN] = 's',
                                       [CONTROL_KILL] = 'k'};
        char heard[64] = "";
        size_t n = 0;
        int64_t sent_ms;
        for (int turn = 0; turn < 8 && c->peer_fd >= 0; turn++) {
                enum control_word word;
                control_read(c);
                while ((word = control_next(c, &sent_ms)) != CONTROL_NOTHING)
                        heard[n++] = letters[word];
        }
        if (c->peer_fd < 0)
                heard[n++] = 'x';
        assert_string_equal(heard, want);
}

static void test_what_comes_over_the_socket(void **state)
{
        static const struct {
                const char *said[3]; /* in so many pieces */
                const char *heard[3];
        } rows[] = {
                {{"cancel\n", "kill\n"}, {"c", "k"}},
                {{"can", "cel\nkill\nshut", "down\n"}, {"", "ck", "s"}},
                {{"renew 12\nrenew 13\nrenew 14\nrenew 15\nrenew 16\nrenew 17\nrenew 18\nrenew 19\nkill\n"},
                 {"rrrrrrrrk"}},
                {{"kill\nquack\nkill\n"}, {"kx"}},
                {{"\n"}, {"x"}},
                {{"0123456789012345678901234567890123456789012345678901234567890123"}, {"x"}},
                {{"renew 1\n0123456789012345678901234567890123456789012345678901234567890123"}, {"rx"}},
                {{"012345678901234567890123456789012345678901234567890123456789012", "\nkill\n"}, {"", "x"}},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct control c = CONTROL_INIT;
                int ends[2];
                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
                c.peer_fd = ends[0];
                for (size_t k = 0; k < ARRAY_SIZE(rows[i].said) && rows[i].said[k] != NULL; k++) {
                        size_t len = strlen(rows[i].said[k]);
                        assert_int_equal(write(ends[1], rows[i].said[k], len), len);
                        hear(&c, rows[i].heard[k]);
                }
                close(ends[1]);
                if (c.peer_fd >= 0)
                        hear(&c, "x");
        }
}

/* Whoever does not read what it is told misses nothing: it is hung up on, and has to come again. */
static void test_a_peer_that_does_not_read(void **state)
{
        struct control c = CONTROL_INIT;
        int ends[2], said = 0;
        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        c.peer_fd = ends[0];
        for (; c.peer_fd >= 0 && said < 100000; said++)
                control_say(&c, "hello %s %d", "running", said);
        assert_in_range(said, 10, 99999);
        control_say(&c, "frozen"); /* to nobody */
        close(ends[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_what_comes_over_the_socket),
                cmocka_unit_test(test_a_peer_that_does_not_read),
        };
        return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
