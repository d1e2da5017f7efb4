/* test_evict.c - whose shims are told to kill. */
#include "workerd/evict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/loop.h"
#include "tests/unit/cm.h"
#include "tests/unit/tmp_dir.h"

/* The test plays the shim of one folder. */
static int listen_in(const char *state_dir, const char *name)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        _cleanup_(freep) char *folder = xasprintf("%s/runs/%s", state_dir, name);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(mkdir(folder, 0700), 0);
        assert_true(snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control", folder) <
                    (int)sizeof(sa.sun_path));
        assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
        assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static bool was_told(int listener)
{
        char heard[16] = "";
        _cleanup_(closep) int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
                assert_int_equal(errno, EAGAIN);
                return false;
        }
        assert_int_equal(recv(fd, heard, sizeof(heard) - 1, 0), strlen("kill\n"));
        assert_string_equal(heard, "kill\n");
        return true;
}

static void test_others_of_the_job(void **state)
{
        static const struct {
                const char *name;
                bool told;
        } rows[] = {{"7-1", true},   {"7-3", false}, {"7-4", true},
                    {"77-1", false}, {"8-3", false}, {"7-x", false}};
        int listeners[ARRAY_SIZE(rows)];
        struct loop *loop = NULL;
        (void)state;
        char *state_dir = tmp_dir_make();
        _cleanup_(freep) char *runs = xasprintf("%s/runs", state_dir);
        _cleanup_(freep) char *silent = xasprintf("%s/7-2", runs);
        assert_int_equal(mkdir(runs, 0700), 0);
        assert_int_equal(mkdir(silent, 0700), 0); /* nobody is there */
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                listeners[i] = listen_in(state_dir, rows[i].name);
        assert_int_equal(loop_new(&loop), 0);
        struct evict *e = evict_others(loop, state_dir, 7, 3);
        while (loop_run_pending(loop))
                continue;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(was_told(listeners[i]), rows[i].told);
                assert_int_equal(close(listeners[i]), 0);
        }
        evict_free(e);
        loop_free(loop);
        tmp_dir_remove(state_dir);
}

static void test_no_runs_at_all(void **state)
{
        struct loop *loop = NULL;
        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        evict_free(evict_others(loop, "/nonexistent", 7, 3));
        evict_free(NULL);
        loop_free(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_others_of_the_job),
                cmocka_unit_test(test_no_runs_at_all),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
