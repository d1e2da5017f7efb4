/* The link to a shim: what is heard from a peer that the test plays, where nobody is, and with a real shim.
 */
#include "workerd/shim_link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"
#include "common/proc.h"
#include "shim/args.h"
#include "shim/control.h"
#include "shim/lock.h"
#include "shim/watch.h"
#include "tests/unit/cm.h"
#include "tests/unit/loop_wait.h"

struct world {
        struct loop *loop;
        char folder[32];
        struct shim_link *link;
        char heard[64]; /* one letter per news */
        size_t n;
        enum shim_event until; /* when to set `done` */
        bool done;
        pid_t agent, shim;
        int error;
};

static char letter(const struct shim_news *news)
{
        static const char events[] = {[SHIM_LINKED] = 'L', [SHIM_STARTED] = 'S', [SHIM_LOCKED_OUT] = 'O',
                                      [SHIM_NOBODY] = 'N', [SHIM_GONE] = 'G',    [SHIM_GARBAGE] = 'X'};
        static const char states[] = {
                [SHIM_RUNNING] = 'r', [SHIM_FROZEN] = 'f', [SHIM_STOPPING] = 's', [SHIM_ENDED] = 'e'};
        return news->event == SHIM_CHANGED ? states[news->state] : events[news->event];
}

static void on_news(void *arg, const struct shim_news *news)
{
        struct world *w = arg;
        assert_in_range(w->n, 0, sizeof(w->heard) - 2);
        w->heard[w->n++] = letter(news);
        w->agent = news->agent;
        w->error = news->error;
        if (news->event == w->until || news->event >= SHIM_NOBODY)
                w->done = true;
        if (news->event >= SHIM_NOBODY)
                shim_link_free(take_ptr(w->link));
}

static bool wait_until(struct world *w, enum shim_event event)
{
        w->until = event;
        w->done = false;
        return loop_wait(w->loop, &w->done);
}

static int setup(void **state)
{
        struct world *w = xcalloc(1, sizeof(*w));
        *state = w;
        (void)snprintf(w->folder, sizeof(w->folder), "/tmp/orch-unit-XXXXXX");
        return mkdtemp(w->folder) == NULL || loop_new(&w->loop) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        static const char *const names[] = {"control", "log", "status", "elsewhere"};
        struct world *w = *state;
        if (w->shim > 0) /* of a test that has failed; its agent dies with it */
                (void)kill(w->shim, SIGKILL);
        shim_link_free(w->link);
        loop_free(w->loop);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_(freep) char *path = xasprintf("%s/%s", w->folder, names[i]);
                (void)unlink(path);
        }
        int r = rmdir(w->folder);
        free(w);
        return r;
}

/* ---- a peer that the test plays ---- */

static void take(struct world *w, int *ret_peer)
{
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        w->n = 0;
        memset(w->heard, 0, sizeof(w->heard));
        w->link = shim_link_take(w->loop, ends[0], on_news, w);
        *ret_peer = ends[1];
}

static void test_what_is_heard(void **state)
{
        static const struct {
                const char *said, *heard;
        } rows[] = {
                {"hello running 17\nstarted 17\nended\n", "LSeG"},
                {"hello running 17\nfrozen\nthawed\nfrozen\nended\n", "LfrfeG"},
                {"hello frozen 17\nthawed\n", "LrG"},
                {"hello stopping 17\n", "LG"},
                {"hello ended 0\nended\n", "LeG"},
                {"locked-out\n", "OG"},
                {"", "G"},
                {"hello running 17", "G"}, /* half a line */
                {"hello dancing 17\n", "X"},
                {"hello running\n", "X"},
                {"hello running \n", "X"},
                {"hello running -1\n", "X"},
                {"hello running 17x\n", "X"},
                {"hello running  17\n", "X"},
                {"hello running 99999999999\n", "X"},
                {"frozen\n", "X"}, /* before its hello */
                {"started 17\n", "X"},
                {"\n", "X"},
                {"hello running 17\nstarted 18\n", "LX"},
                {"hello running 17\nhello running 17\n", "LX"},
                {"hello running 17\nlocked-out\n", "LX"},
                {"hello running 17\nquack\nended\n", "LX"},
                {"hello running 17\n0123456789012345678901234567890123456789012345678901234567890123456789",
                 "LX"},
        };
        struct world *w = *state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                int peer;
                take(w, &peer);
                assert_int_equal(write(peer, rows[i].said, strlen(rows[i].said)), strlen(rows[i].said));
                close(peer);
                assert_true(wait_until(w, SHIM_GONE));
                if (strcmp(w->heard, rows[i].heard) != 0)
                        fail_msg("row %zu: heard %s", i, w->heard);
                assert_int_equal(w->error, strchr(rows[i].heard, 'X') != NULL ? EPROTO : 0);
                shim_link_free(take_ptr(w->link));
        }
}

static void test_a_nul_is_garbage(void **state)
{
        struct world *w = *state;
        int peer;
        take(w, &peer);
        assert_int_equal(write(peer, "hello running 17\0\n", 18), 18);
        assert_true(wait_until(w, SHIM_GONE));
        assert_string_equal(w->heard, "X");
        close(peer);
}

static void assert_said(int peer, const char *want)
{
        char buf[256];
        ssize_t n = recv(peer, buf, sizeof(buf) - 1, 0);
        buf[n > 0 ? n : 0] = '\0';
        assert_string_equal(buf, want);
}

static void test_what_is_said(void **state)
{
        struct world *w = *state;
        int peer;
        take(w, &peer);
        shim_link_renew(w->link, 123456789012);
        assert_said(peer, "renew 123456789012\n");
        shim_link_shutdown(w->link);
        assert_said(peer, "shutdown\n");
        shim_link_cancel(w->link);
        shim_link_kill(w->link);
        assert_said(peer, "cancel\nkill\n");
        close(peer);
}

/* Of what could not be said in time, the newest renewal and the strongest wish are said later. */
static void test_a_peer_that_does_not_read(void **state)
{
        struct world *w = *state;
        char last[32] = "", buf[4096];
        int peer;
        take(w, &peer);
        for (int i = 0; i < 20000; i++)
                shim_link_renew(w->link, i);
        shim_link_shutdown(w->link);
        shim_link_kill(w->link);
        shim_link_cancel(w->link);
        ssize_t n;
        for (int idle = 0; idle < 2; idle = loop_run_pending(w->loop) ? 0 : idle + 1) {
                while ((n = recv(peer, buf, sizeof(buf), 0)) > 0)
                        if (n >= 30)
                                memcpy(last, buf + n - 17, 17);
                        else
                                (void)snprintf(last, sizeof(last), "%.*s", (int)n, buf);
        }
        assert_string_equal(last, "kill\nrenew 19999\n");
        close(peer);
}

static void free_at_once(void *arg, const struct shim_news *news)
{
        struct world *w = arg;
        assert_int_equal(news->event, SHIM_LINKED);
        shim_link_free(take_ptr(w->link));
        w->done = true;
}

static void test_freed_by_its_own_news(void **state)
{
        struct world *w = *state;
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        w->link = shim_link_take(w->loop, ends[0], free_at_once, w);
        assert_int_equal(write(ends[1], "hello running 1\nfrozen\n", 23), 23);
        assert_true(loop_wait(w->loop, &w->done));
        close(ends[1]);
}

/* ---- where nobody is ---- */

static char *path_of(const struct world *w, const char *name)
{
        return xasprintf("%s/%s", w->folder, name);
}

/* A socket of that name; the descriptor listens if asked to. */
static int make_socket(const struct world *w, const char *name, bool listens)
{
        _cleanup_(freep) char *path = path_of(w, name);
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
        if (listens)
                assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static void connect_and_wait(struct world *w, const char *folder)
{
        w->link = shim_link_connect(w->loop, folder, on_news, w);
        shim_link_kill(w->link); /* asked for too early: waits, or is lost with the link */
        assert_true(wait_until(w, SHIM_LINKED));
}

static void test_no_folder(void **state)
{
        struct world *w = *state;
        connect_and_wait(w, "/tmp/orch-no-such-folder");
        assert_string_equal(w->heard, "N");
}

static void test_no_socket(void **state)
{
        struct world *w = *state;
        connect_and_wait(w, w->folder);
        assert_string_equal(w->heard, "N");
}

static void test_a_socket_that_was_left(void **state)
{
        struct world *w = *state;
        close(make_socket(w, "control", true));
        connect_and_wait(w, w->folder);
        assert_string_equal(w->heard, "N");
}

static void test_a_file_is_garbage(void **state)
{
        struct world *w = *state;
        _cleanup_(freep) char *path = path_of(w, "control");
        close(open(path, O_CREAT | O_WRONLY, 0600));
        connect_and_wait(w, w->folder);
        assert_string_equal(w->heard, "X");
        assert_int_equal(w->error, ENOTSOCK);
}

/* An agent may have put it there, so that we kill the run of another. */
static void test_a_symbolic_link_is_garbage(void **state)
{
        struct world *w = *state;
        _cleanup_(freep) char *path = path_of(w, "control");
        int other = make_socket(w, "elsewhere", true);
        assert_int_equal(symlink("elsewhere", path), 0);
        connect_and_wait(w, w->folder);
        assert_string_equal(w->heard, "X");
        assert_true(accept(other, NULL, NULL) < 0); /* never came there */
        close(other);
}

static int accept_in_time(struct world *w, int listener)
{
        int64_t deadline = loop_now_ms(w->loop) + 10000;
        while (loop_now_ms(w->loop) < deadline) {
                int fd = accept(listener, NULL, NULL);
                if (fd >= 0)
                        return fd;
                (void)loop_run_pending(w->loop);
        }
        fail_msg("nobody came");
        return 0; /* not reached */
}

/* A shim that is stopped accepts nobody: what is asked waits, also when its queue is full. */
static void test_a_full_queue(void **state)
{
        struct world *w = *state;
        int listener = make_socket(w, "control", true), waiting[2];
        struct shim_link *others[4];
        char buf[16];
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                others[i] = shim_link_connect(w->loop, w->folder, on_news, w);
        w->link = shim_link_connect(w->loop, w->folder, on_news, w);
        shim_link_kill(w->link);
        for (int i = 0; i < 20; i++)
                (void)loop_run_pending(w->loop);
        assert_string_equal(w->heard, "");
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                shim_link_free(others[i]);
        for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) { /* two were queued, and hung up */
                waiting[i] = accept(listener, NULL, NULL);
                assert_int_equal(recv(waiting[i], buf, sizeof(buf), 0), 0);
                close(waiting[i]);
        }
        int peer = accept_in_time(w, listener);
        assert_int_equal(recv(peer, buf, sizeof(buf), 0), 5);
        assert_memory_equal(buf, "kill\n", 5);
        close(peer);
        close(listener);
}

/* ---- the real shim ---- */

static _Noreturn void be_the_shim(const struct world *w, int peer, char *const *command)
{
        static struct lock lock;
        struct control control = CONTROL_INIT;
        const struct args args = {
                .run_dir = w->folder,
                .stdin_path = "/dev/null",
                .cwd = "/",
                .control = SHIM_LINK_SOCKET,
                .limits = {.grace_ms = 5000, .freeze_ms = 300},
                .renewed_ms = INT64_MAX, /* as of its start */
                .log_max = 65536,
                .command = command,
        };
        lock.fd = memfd_create("lock", MFD_CLOEXEC);
        if (dup2(peer, CONTROL_FD) < 0 || close(peer) < 0)
                _exit(70);
        control_init(&control);
        _exit(watch_run(&args, &lock, &control) == 0 ? 0 : 71);
}

static void start_shim(struct world *w, char *const *command)
{
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        w->shim = fork();
        if (w->shim == 0)
                be_the_shim(w, ends[1], command);
        close(ends[1]);
        w->link = shim_link_take(w->loop, ends[0], on_news, w);
}

static void assert_ended(struct world *w)
{
        int status = 0;
        assert_int_equal(waitpid(w->shim, &status, 0), w->shim);
        w->shim = 0;
        assert_int_equal(status, 0);
}

static void test_a_real_shim(void **state)
{
        char *const command[] = {(char *)"sleep", (char *)"infinity", NULL};
        struct world *w = *state;
        unsigned long long start = 0;
        start_shim(w, command);
        assert_true(wait_until(w, SHIM_STARTED));
        assert_int_equal(shim_link_peer(w->link, &start), 0);
        pid_t agent = w->agent;
        assert_int_equal(kill(agent, 0), 0);
        shim_link_free(take_ptr(w->link));

        w->link = shim_link_connect(w->loop, w->folder, on_news, w); /* an heir */
        assert_true(wait_until(w, SHIM_LINKED));
        assert_int_equal(shim_link_peer(w->link, &start), w->shim);
        assert_int_equal(proc_signal_known(w->shim, start, 0), 0);
        assert_int_equal(w->agent, agent);
        assert_true(wait_until(w, SHIM_CHANGED)); /* frozen: nobody renews */
        shim_link_renew(w->link, loop_now_ms(w->loop));
        assert_true(wait_until(w, SHIM_CHANGED));
        shim_link_cancel(w->link);
        assert_true(wait_until(w, SHIM_GONE));
        assert_string_equal(w->heard, "LSLfreG");
        assert_ended(w);
}

static void test_a_second_link_takes_the_place_of_the_first(void **state)
{
        char *const command[] = {(char *)"sleep", (char *)"infinity", NULL};
        struct world *w = *state, heir = {.loop = w->loop};
        start_shim(w, command);
        assert_true(wait_until(w, SHIM_STARTED));
        heir.link = shim_link_connect(w->loop, w->folder, on_news, &heir);
        assert_true(wait_until(w, SHIM_GONE));
        shim_link_kill(heir.link);
        assert_true(wait_until(&heir, SHIM_GONE));
        assert_string_equal(w->heard, "LSG");
        assert_string_equal(heir.heard, "LeG");
        assert_ended(w);
}

int main(void)
{
#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                IN_FOLDER(test_what_is_heard),
                IN_FOLDER(test_a_nul_is_garbage),
                IN_FOLDER(test_what_is_said),
                IN_FOLDER(test_a_peer_that_does_not_read),
                IN_FOLDER(test_freed_by_its_own_news),
                IN_FOLDER(test_no_folder),
                IN_FOLDER(test_no_socket),
                IN_FOLDER(test_a_socket_that_was_left),
                IN_FOLDER(test_a_file_is_garbage),
                IN_FOLDER(test_a_symbolic_link_is_garbage),
                IN_FOLDER(test_a_full_queue),
                IN_FOLDER(test_a_real_shim),
                IN_FOLDER(test_a_second_link_takes_the_place_of_the_first),
        };
        return cmocka_run_group_tests_name("shim_link", tests, NULL, NULL);
}
