/* Opening the sockets of the host, while somebody else still holds them. */
#include "supervisor/listeners.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/listen.h"
#include "common/loop.h"
#include "common/mem.h"
#include "tests/unit/cm.h"
#include "tests/unit/tmp_dir.h"

struct outcome {
        struct loop *loop;
        unsigned calls;
        bool ok;
        char why[512];
};

static int set_up(void **state)
{
        struct outcome *o = xcalloc(1, sizeof(*o));
        if (loop_new(&o->loop) < 0)
                return -1;
        loop_clock_freeze(o->loop);
        *state = o;
        return 0;
}

static int tear_down(void **state)
{
        struct outcome *o = *state;
        loop_free(o->loop);
        free(o);
        return 0;
}

static void on_listeners(void *arg, const struct errinfo *err)
{
        struct outcome *o = arg;
        o->calls++;
        o->ok = err == NULL;
        if (err != NULL)
                memcpy(o->why, err->text, sizeof(o->why));
}

static struct listeners *open_these(struct outcome *o, const char *public, const char *status,
                                    const char *operator)
{
        const char *const addresses[CONTRACT_LISTENER_COUNT] = {public, status, operator};
        return listeners_new(o->loop, addresses, on_listeners, o);
}

/* An address that is taken, and the socket that takes it. */
static char *taken(int *ret_fd)
{
        assert_int_equal(listen_open("127.0.0.1:0", ret_fd, NULL), 0);
        return xasprintf("127.0.0.1:%d", listen_port(*ret_fd));
}

static void test_opens_all(void **state)
{
        struct outcome *o = *state;
        struct listeners *ls = open_these(o, "127.0.0.1:0", "127.0.0.1:0", "");
        assert_int_equal(o->calls, 0); /* never inside the call that begins it */
        loop_clock_advance(o->loop, 0);
        assert_int_equal(o->calls, 1);
        assert_true(o->ok);
        assert_true(listen_port(listeners_fd(ls, CONTRACT_LISTENER_PUBLIC)) > 0);
        assert_true(listen_port(listeners_fd(ls, CONTRACT_LISTENER_STATUS)) > 0);
        assert_int_not_equal(listeners_fd(ls, CONTRACT_LISTENER_PUBLIC),
                             listeners_fd(ls, CONTRACT_LISTENER_STATUS));
        assert_int_equal(listeners_fd(ls, CONTRACT_LISTENER_OPERATOR), -1); /* not in use */
        listeners_free(ls);
}

static void test_operators_may_come_through_a_file(void **state)
{
        struct outcome *o = *state;
        char *dir = tmp_dir_make();
        _cleanup_(freep) char *path = xasprintf("%s/operator.sock", dir);
        struct stat st;
        struct listeners *ls = open_these(o, "127.0.0.1:0", "127.0.0.1:0", path);
        loop_clock_advance(o->loop, 0);
        assert_true(o->ok);
        assert_true(listeners_fd(ls, CONTRACT_LISTENER_OPERATOR) >= 0);
        assert_int_equal(lstat(path, &st), 0);
        listeners_free(ls);
        assert_int_equal(lstat(path, &st), -1);
        tmp_dir_remove(dir);
}

static void test_waits_until_the_address_is_free(void **state)
{
        struct outcome *o = *state;
        int fd;
        _cleanup_(freep) char *address = taken(&fd);
        struct listeners *ls = open_these(o, "127.0.0.1:0", address, "");
        loop_clock_advance(o->loop, LISTENERS_PATIENCE_MS - 1);
        assert_int_equal(o->calls, 0);
        assert_int_equal(close(fd), 0);
        loop_clock_advance(o->loop, 1);
        assert_int_equal(o->calls, 1);
        assert_true(o->ok);
        listeners_free(ls);
}

static void test_gives_up_after_its_patience(void **state)
{
        struct outcome *o = *state;
        int fd;
        _cleanup_(freep) char *address = taken(&fd);
        struct listeners *ls = open_these(o, address, "127.0.0.1:0", "");
        loop_clock_advance(o->loop, LISTENERS_PATIENCE_MS - 1);
        assert_int_equal(o->calls, 0);
        loop_clock_advance(o->loop, LISTENERS_RETRY_MS);
        assert_int_equal(o->calls, 1);
        assert_false(o->ok);
        assert_non_null(strstr(o->why, address));
        loop_clock_advance(o->loop, 60000);
        assert_int_equal(o->calls, 1);
        listeners_free(ls);
        assert_int_equal(close(fd), 0);
}

/* Waiting helps against a taken address only. */
static void test_what_will_not_get_better_fails_at_once(void **state)
{
        static const char *const addresses[] = {"nonsense", "127.0.0.1:99999", "192.0.2.1:80",
                                                "localhost:80"};
        struct outcome *o = *state;
        for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
                struct listeners *ls = open_these(o, "127.0.0.1:0", addresses[i], "");
                loop_clock_advance(o->loop, 0);
                assert_int_equal(o->calls, i + 1);
                assert_false(o->ok);
                assert_non_null(strstr(o->why, addresses[i]));
                listeners_free(ls);
        }
}

#define LISTENERS_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                LISTENERS_TEST(test_opens_all),
                LISTENERS_TEST(test_operators_may_come_through_a_file),
                LISTENERS_TEST(test_waits_until_the_address_is_free),
                LISTENERS_TEST(test_gives_up_after_its_patience),
                LISTENERS_TEST(test_what_will_not_get_better_fails_at_once),
        };
        return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
