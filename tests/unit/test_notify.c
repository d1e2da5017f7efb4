/* The sd_notify protocol, against a socket that stands for the service manager's. */
#include "supervisor/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"
#include "tests/unit/cm.h"

struct manager {
        struct loop *loop;
        int fd;
        char text[512]; /* the last message received */
};

/* `name` as in NOTIFY_SOCKET. */
static int bind_manager(const char *name)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        size_t len = strlen(name);
        assert_true(fd >= 0 && len < sizeof(addr.sun_path));
        memcpy(addr.sun_path, name, len);
        if (name[0] == '@')
                addr.sun_path[0] = '\0';
        assert_int_equal(bind(fd, (struct sockaddr *)&addr,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'))),
                         0);
        return fd;
}

static const char *receive(struct manager *m)
{
        ssize_t n = recv(m->fd, m->text, sizeof(m->text) - 1, 0);
        if (n < 0) {
                assert_int_equal(errno, EAGAIN);
                return NULL;
        }
        m->text[n] = '\0';
        return m->text;
}

static int set_up(void **state)
{
        struct manager *m = xcalloc(1, sizeof(*m));
        _cleanup_(freep) char *name = xasprintf("@orch-test-notify-%d", (int)getpid());
        m->fd = bind_manager(name);
        if (loop_new(&m->loop) < 0 || setenv("NOTIFY_SOCKET", name, 1) < 0)
                return -1;
        loop_clock_freeze(m->loop);
        *state = m;
        return 0;
}

static int tear_down(void **state)
{
        struct manager *m = *state;
        loop_free(m->loop);
        (void)close(m->fd);
        free(m);
        return unsetenv("NOTIFY_SOCKET") | unsetenv("WATCHDOG_USEC") | unsetenv("WATCHDOG_PID");
}

static void test_messages(void **state)
{
        struct manager *m = *state;
        struct notify *n = notify_new(m->loop);
        notify_ready(n);
        assert_string_equal(receive(m), "READY=1");
        notify_stopping(n);
        assert_string_equal(receive(m), "STOPPING=1");
        assert_null(receive(m));
        notify_free(n);
}

static void test_reloading_carries_the_monotonic_clock(void **state)
{
        struct manager *m = *state;
        struct notify *n = notify_new(m->loop);
        struct timespec before, after;
        static const char head[] = "RELOADING=1\nMONOTONIC_USEC=";
        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
        notify_reloading(n);
        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
        const char *text = receive(m);
        assert_memory_equal(text, head, sizeof(head) - 1);
        uint64_t usec = strtoull(text + sizeof(head) - 1, NULL, 10);
        assert_true(usec >= (uint64_t)before.tv_sec * 1000000 + (uint64_t)before.tv_nsec / 1000);
        assert_true(usec <= (uint64_t)after.tv_sec * 1000000 + (uint64_t)after.tv_nsec / 1000);
        notify_free(n);
}

static void test_status_is_sent_when_it_changes(void **state)
{
        struct manager *m = *state;
        struct notify *n = notify_new(m->loop);
        notify_status(n, "a 0/1");
        assert_string_equal(receive(m), "STATUS=a 0/1");
        notify_status(n, "a 0/1");
        assert_null(receive(m));
        notify_status(n, "a 1/1");
        assert_string_equal(receive(m), "STATUS=a 1/1");
        notify_free(n);
}

static void test_path_socket(void **state)
{
        struct manager *m = *state;
        char folder[] = "/tmp/test_notify.XXXXXX";
        assert_non_null(mkdtemp(folder));
        _cleanup_(freep) char *path = xasprintf("%s/socket", folder);
        struct manager by_path = {.fd = bind_manager(path)};
        assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
        struct notify *n = notify_new(m->loop);
        notify_ready(n);
        assert_string_equal(receive(&by_path), "READY=1");
        notify_free(n);
        (void)close(by_path.fd);
        assert_int_equal(unlink(path) | rmdir(folder), 0);
}

static void test_watchdog_is_fed_twice_per_period(void **state)
{
        struct manager *m = *state;
        _cleanup_(freep) char *pid = xasprintf("%d", (int)getpid());
        assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1) | setenv("WATCHDOG_PID", pid, 1), 0);
        struct notify *n = notify_new(m->loop);
        loop_clock_advance(m->loop, 0);
        assert_string_equal(receive(m), "WATCHDOG=1");
        loop_clock_advance(m->loop, 14999);
        assert_null(receive(m));
        loop_clock_advance(m->loop, 1);
        assert_string_equal(receive(m), "WATCHDOG=1");
        loop_clock_advance(m->loop, 15000);
        assert_string_equal(receive(m), "WATCHDOG=1");
        assert_null(receive(m));
        notify_free(n);
}

static void test_watchdog_that_is_not_ours(void **state)
{
        static const struct {
                const char *usec, *pid;
        } rows[] = {{"30000000", "1"},
                    {"30000000", "x"},
                    {"0", NULL},
                    {"", NULL},
                    {"-5", NULL},
                    {"12x", NULL},
                    {"99999999999999999999999", NULL},
                    {NULL, NULL}};
        struct manager *m = *state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                assert_int_equal(unsetenv("WATCHDOG_USEC") | unsetenv("WATCHDOG_PID"), 0);
                if (rows[i].usec != NULL)
                        assert_int_equal(setenv("WATCHDOG_USEC", rows[i].usec, 1), 0);
                if (rows[i].pid != NULL)
                        assert_int_equal(setenv("WATCHDOG_PID", rows[i].pid, 1), 0);
                struct notify *n = notify_new(m->loop);
                loop_clock_advance(m->loop, 60000);
                assert_null(receive(m));
                notify_free(n);
        }
}

/* No manager, or one that cannot be reached: nothing is sent and nothing breaks. */
static void test_without_a_manager(void **state)
{
        char long_path[300] = "/";
        memset(long_path + 1, 'x', sizeof(long_path) - 2);
        const char *const sockets[] = {NULL,
                                       "",
                                       "@",
                                       "/",
                                       "vsock:2:1234",
                                       "relative",
                                       long_path,
                                       "/nonexistent/socket",
                                       "@orch-test-nobody-listens"};
        struct manager *m = *state;
        for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
                assert_int_equal(sockets[i] != NULL ? setenv("NOTIFY_SOCKET", sockets[i], 1)
                                                    : unsetenv("NOTIFY_SOCKET"),
                                 0);
                struct notify *n = notify_new(m->loop);
                assert_false(notify_send(n, "READY=1"));
                notify_status(n, "a 0/1");
                notify_reloading(n);
                notify_free(n);
        }
}

static void test_a_manager_that_does_not_read_never_blocks_us(void **state)
{
        struct manager *m = *state;
        struct notify *n = notify_new(m->loop);
        unsigned sent = 0;
        while (sent < 100000 && notify_send(n, "READY=1"))
                sent++;
        assert_true(sent > 0 && sent < 100000);
        notify_free(n);
}

#define NOTIFY_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                NOTIFY_TEST(test_messages),
                NOTIFY_TEST(test_reloading_carries_the_monotonic_clock),
                NOTIFY_TEST(test_status_is_sent_when_it_changes),
                NOTIFY_TEST(test_path_socket),
                NOTIFY_TEST(test_watchdog_is_fed_twice_per_period),
                NOTIFY_TEST(test_watchdog_that_is_not_ours),
                NOTIFY_TEST(test_without_a_manager),
                NOTIFY_TEST(test_a_manager_that_does_not_read_never_blocks_us),
        };
        return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
