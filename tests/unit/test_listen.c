/* Which addresses one may listen on. */
#include "common/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static void test_refused(void **state)
{
        static const char *const rows[] = {
                "",
                "8480",
                ":8480",
                "127.0.0.1",
                "127.0.0.1:",
                "127.0.0.1:x",
                "127.0.0.1:-1",
                "127.0.0.1: 80",
                "127.0.0.1:65536",
                "127.0.0.1:123456",
                "localhost:80",
                "127.1:80",
                "::1:80",
                "[::1]",
                "[::1]80",
                "[127.0.0.1]:80",
                "[::1:80",
                "256.0.0.1:80",
                "127.0.0.1:80 ",
                "*:80",
                "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:80",
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct errinfo err = ERRINFO_INIT;
                int fd = -1;
                assert_int_equal(listen_open(rows[i], &fd, &err), -EINVAL);
                assert_int_equal(fd, -1);
                assert_non_null(strstr(err.text, "is not an address to listen on"));
        }
}

static void test_opens(void **state)
{
        struct errinfo err = ERRINFO_INIT;
        int fd = -1, other = -1;
        char same[64];
        (void)state;
        assert_int_equal(listen_open("127.0.0.1:0", &fd, &err), 0);
        int port = listen_port(fd);
        assert_in_range(port, 1, 65535);
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);

        (void)snprintf(same, sizeof(same), "127.0.0.1:%d", port);
        assert_int_equal(listen_open(same, &other, &err), -EADDRINUSE);
        assert_non_null(strstr(err.text, same));
        assert_int_equal(other, -1);
        close(fd);
        assert_int_equal(listen_open(same, &fd, &err), 0);
        assert_int_equal(listen_port(fd), port);
        close(fd);
        assert_true(listen_port(-1) < 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_opens),
        };
        return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
