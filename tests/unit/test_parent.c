/* The status channel, from the daemon's end, on a frozen clock. */
#include "common/parent.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"
#include "tests/unit/cm.h"
#include "tests/unit/loop_wait.h"

struct world {
        struct loop *loop;
        struct parent *parent;
        int supervisor_fd;
        bool gone;
};

static void on_gone(void *arg)
{
        bool *gone = arg;
        assert_false(*gone);
        *gone = true;
}

static void name_channel(int fd)
{
        char number[16];
        (void)snprintf(number, sizeof(number), "%d", fd);
        setenv(CONTRACT_ENV_STATUS_FD, number, 1);
}

static int setup(void **state)
{
        struct world *w = xcalloc(1, sizeof(*w));
        int ends[2];
        *state = w;
        if (loop_new(&w->loop) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0)
                return -1;
        loop_clock_freeze(w->loop);
        w->supervisor_fd = ends[0];
        name_channel(ends[1]);
        return parent_new(w->loop, on_gone, &w->gone, &w->parent);
}

static int teardown(void **state)
{
        struct world *w = *state;
        parent_free(w->parent);
        loop_free(w->loop);
        if (w->supervisor_fd >= 0)
                close(w->supervisor_fd);
        free(w);
        unsetenv(CONTRACT_ENV_STATUS_FD);
        return 0;
}

/* The next message, or 0 when there is none. */
static int heard(const struct world *w, uint32_t *ret_busy)
{
        struct contract_status status;
        ssize_t n = recv(w->supervisor_fd, &status, sizeof(status), 0);
        if (n < 0)
                return 0;
        assert_int_equal(n, sizeof(status));
        if (ret_busy != NULL)
                *ret_busy = status.busy;
        return status.kind;
}

static void test_alive_comes_by_the_clock(void **state)
{
        struct world *w = *state;
        loop_clock_advance(w->loop, CONTRACT_ALIVE_MS - 1);
        assert_int_equal(heard(w, NULL), 0);
        loop_clock_advance(w->loop, 1);
        assert_int_equal(heard(w, NULL), CONTRACT_ALIVE);
        loop_clock_advance(w->loop, INT64_C(3) * CONTRACT_ALIVE_MS);
        for (int i = 0; i < 3; i++)
                assert_int_equal(heard(w, NULL), CONTRACT_ALIVE);
        assert_int_equal(heard(w, NULL), 0);
}

static void test_says_with_busy(void **state)
{
        struct world *w = *state;
        uint32_t busy = 9;
        parent_say(w->parent, CONTRACT_READY);
        assert_int_equal(heard(w, &busy), CONTRACT_READY);
        assert_int_equal(busy, 0);
        parent_busy(w->parent, 3);
        assert_int_equal(heard(w, NULL), 0);
        parent_say(w->parent, CONTRACT_DRAINING);
        assert_int_equal(heard(w, &busy), CONTRACT_DRAINING);
        assert_int_equal(busy, 3);
}

/* A supervisor that does not read must not lose the news, nor make the daemon wait. */
static void test_full_channel(void **state)
{
        struct world *w = *state;
        int last = 0, kind, readies = 0;
        for (int i = 0; i < 5000; i++)
                parent_say(w->parent, CONTRACT_ALIVE);
        parent_say(w->parent, CONTRACT_READY);
        parent_say(w->parent, CONTRACT_DRAINING);
        do {
                while ((kind = heard(w, NULL)) != 0) {
                        last = kind;
                        readies += kind == CONTRACT_READY;
                }
        } while (loop_run_pending(w->loop));
        assert_int_equal(readies, 1);
        assert_int_equal(last, CONTRACT_ALIVE); /* was unsaid too, and is the last in order */
        assert_false(w->gone);
}

static void test_the_end_is_noticed(void **state)
{
        struct world *w = *state;
        parent_say(w->parent, CONTRACT_READY); /* unread when the other end closes */
        close(w->supervisor_fd);
        w->supervisor_fd = -1;
        assert_true(loop_wait(w->loop, &w->gone));
        parent_say(w->parent, CONTRACT_DRAINING); /* to nobody */
        loop_clock_advance(w->loop, INT64_C(10) * CONTRACT_ALIVE_MS);
}

static void test_words_from_the_supervisor_are_ignored(void **state)
{
        struct world *w = *state;
        assert_int_equal(send(w->supervisor_fd, "hello", 5, 0), 5);
        assert_true(loop_run_pending(w->loop));
        assert_false(w->gone);
        assert_false(loop_run_pending(w->loop));
}

static void test_without_supervisor(void **state)
{
        struct world *w = *state;
        struct parent *none = NULL;
        unsetenv(CONTRACT_ENV_STATUS_FD);
        assert_int_equal(parent_new(w->loop, on_gone, &w->gone, &none), 0);
        parent_say(none, CONTRACT_READY);
        parent_busy(none, 1);
        parent_free(none);
        parent_free(NULL);
        assert_false(w->gone);
}

static void test_no_channel_behind_the_name(void **state)
{
        static const char *const rows[] = {"x", "-1", "3x", "9999", "99999999999999999999"};
        struct world *w = *state;
        struct parent *none = NULL;
        int stream[2];
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                setenv(CONTRACT_ENV_STATUS_FD, rows[i], 1);
                assert_true(parent_new(w->loop, on_gone, &w->gone, &none) < 0);
        }
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
        name_channel(stream[0]);
        assert_int_equal(parent_new(w->loop, on_gone, &w->gone, &none), -EPROTOTYPE);
        assert_null(none);
        close(stream[0]);
        close(stream[1]);
}

int main(void)
{
#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                IN_WORLD(test_alive_comes_by_the_clock),
                IN_WORLD(test_says_with_busy),
                IN_WORLD(test_full_channel),
                IN_WORLD(test_the_end_is_noticed),
                IN_WORLD(test_words_from_the_supervisor_are_ignored),
                IN_WORLD(test_without_supervisor),
                IN_WORLD(test_no_channel_behind_the_name),
        };
        return cmocka_run_group_tests_name("parent", tests, NULL, NULL);
}
