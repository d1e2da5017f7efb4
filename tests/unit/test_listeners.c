/* Opening the sockets of the host, while somebody else still holds them. */
#include "supervisor/listeners.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/listen.h"
#include "common/loop.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

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

/* An address that is taken, and the socket that takes it. */
static char *taken(int *ret_fd)
{
        assert_int_equal(listen_open("127.0.0.1:0", ret_fd, NULL), 0);
        return xasprintf("127.0.0.1:%d", listen_port(*ret_fd));
}

static void test_opens_both(void **state)
{
        struct outcome *o = *state;
        struct listeners *ls = listeners_new(o->loop, "127.0.0.1:0", "127.0.0.1:0", on_listeners, o);
        assert_int_equal(o->calls, 0); /* never inside the call that begins it */
        loop_clock_advance(o->loop, 0);
        assert_int_equal(o->calls, 1);
        assert_true(o->ok);
        assert_true(listen_port(listeners_public_fd(ls)) > 0);
        assert_true(listen_port(listeners_status_fd(ls)) > 0);
        assert_int_not_equal(listeners_public_fd(ls), listeners_status_fd(ls));
        listeners_free(ls);
}

static void test_waits_until_the_address_is_free(void **state)
{
        struct outcome *o = *state;
        int fd;
        _cleanup_(freep) char *address = taken(&fd);
        struct listeners *ls = listeners_new(o->loop, "127.0.0.1:0", address, on_listeners, o);
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
        struct listeners *ls = listeners_new(o->loop, address, "127.0.0.1:0", on_listeners, o);
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
                struct listeners *ls = listeners_new(o->loop, "127.0.0.1:0", addresses[i], on_listeners, o);
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
                LISTENERS_TEST(test_opens_both),
                LISTENERS_TEST(test_waits_until_the_address_is_free),
                LISTENERS_TEST(test_gives_up_after_its_patience),
                LISTENERS_TEST(test_what_will_not_get_better_fails_at_once),
        };
        return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}
