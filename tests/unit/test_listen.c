/* Which addresses one may listen on. */
#include "common/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "tests/unit/cm.h"
#include "tests/unit/tmp_dir.h"

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

static mode_t own_umask(void)
{
        mode_t mask = umask(0);
        (void)umask(mask);
        return mask;
}

static mode_t mode_of(const char *path)
{
        struct stat st;
        assert_int_equal(lstat(path, &st), 0);
        return st.st_mode;
}

static void test_opens_a_path(void **state)
{
        struct errinfo err = ERRINFO_INIT;
        char *dir = tmp_dir_make();
        _cleanup_(freep) char *path = xasprintf("%s/sock", dir);
        int fd = -1, other = -1;
        (void)state;
        assert_int_equal(listen_open(path, &fd, &err), 0);
        assert_int_equal(mode_of(path), S_IFSOCK | (0660 & ~own_umask()));
        assert_int_equal(listen_port(fd), 0);
        assert_int_equal(listen_open(path, &other, &err), -EADDRINUSE);
        close(fd); /* left behind, as by a process that was killed */
        assert_int_equal(listen_open(path, &fd, &err), 0);
        listen_close(fd);
        assert_int_equal(access(path, F_OK), -1);
        listen_close(-1);
        tmp_dir_remove(dir);
}

/* What is no socket is somebody's file. */
static void test_replaces_no_file(void **state)
{
        struct errinfo err = ERRINFO_INIT;
        char *dir = tmp_dir_make();
        _cleanup_(freep) char *path = xasprintf("%s/file", dir);
        _cleanup_(freep) char *absent = xasprintf("%s/no/folder", dir);
        _cleanup_(freep) char *too_long = xasprintf("%s/%0100d", dir, 0);
        int fd = open(path, O_WRONLY | O_CREAT, 0600), other = -1;
        (void)state;
        close(fd);
        assert_int_equal(listen_open(path, &other, &err), -EADDRINUSE);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(listen_open(absent, &other, &err), -ENOENT);
        assert_int_equal(listen_open(too_long, &other, &err), -EINVAL);
        tmp_dir_remove(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_opens),
                cmocka_unit_test(test_opens_a_path),
                cmocka_unit_test(test_replaces_no_file),
        };
        return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
