/* What is handed over is read back the same, and nothing that is a little different is read at all. */
#include "supervisor/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/listen.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "tests/unit/cm.h"

static void fill(struct handover *h)
{
        h->state_dir = xstrdup("/var/lib/or che strator");
        h->listen_public = xstrdup("127.0.0.1:8480");
        h->listen_status = xstrdup("127.0.0.1:8481");
        h->listen_operator = xstrdup("");
        h->generation = 3;
        h->upgrades = 7;
        h->ready = 1;
        h->pid_fd = h->metrics_fd = h->listen_public_fd = 5;
        h->listen_status_fd = INT32_MAX;
        h->listen_operator_fd = -1;
        struct handover_child *c = handover_add_child(h, "workerd");
        *c = (struct handover_child){.service = "workerd",
                                     .number = 2,
                                     .state = CHILD_READY,
                                     .pid = 4711,
                                     .pidfd = 9,
                                     .status_fd = 10,
                                     .metrics_slot = 11,
                                     .busy = UINT32_MAX,
                                     .ready_since_ms = INT64_MAX,
                                     .timer_due_ms = -1,
                                     .died_4_ms = 12};
        c = handover_add_child(h, "reaperd");
        c->number = 1;
        c->state = CHILD_WAITING;
        c->throttled = 1;
        c->pidfd = c->status_fd = c->metrics_slot = c->ready_since_ms = -1;
        c->timer_due_ms = 60000;
}

/* The text that is handed over. */
static char *text_of(const struct handover *h)
{
        int fd = -1;
        char *text = xcalloc(HANDOVER_BYTES_MAX, 1);
        assert_int_equal(handover_write(h, &fd, NULL), 0);
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_true(pread(fd, text, HANDOVER_BYTES_MAX - 1, 0) > 0);
        close(fd);
        return text;
}

static int sealed(const char *text, size_t len)
{
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(write(fd, text, len), len);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
        return fd;
}

static int read_text(const char *text, size_t len, struct handover *ret, struct errinfo *err)
{
        int fd = sealed(text, len);
        int r = handover_read(fd, ret, err);
        close(fd);
        return r;
}

static void test_reads_what_was_written(void **state)
{
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT, again = HANDOVER_INIT;
        (void)state;
        fill(&h);
        _cleanup_(freep) char *text = text_of(&h);
        assert_int_equal(read_text(text, strlen(text), &again, NULL), 0);
        _cleanup_(freep) char *text_again = text_of(&again);
        assert_string_equal(text, text_again);
        assert_string_equal(again.state_dir, "/var/lib/or che strator");
        assert_int_equal(again.n_children, 2);
        assert_memory_equal(&again.children[0], &h.children[0], sizeof(h.children[0]));
        assert_int_equal(again.children[1].timer_due_ms, 60000);
}

/* One piece of the text is another. */
static void test_refuses_what_is_different(void **state)
{
        static const struct {
                const char *was, *is;
        } rows[] = {
                {"orch-handover 2\n", "orch-handover 1\n"},
                {"orch-handover 2\n", "orch-handover 2 \n"},
                {"orch-handover 2\n", ""},
                {"state_dir ", "state-dir "},
                {"generation 3\n", "generation 0\n"},
                {"generation 3\n", "generation 2147483648\n"},
                {"generation 3\n", "generation 99999999999999999999\n"},
                {"generation 3\n", "generation +3\n"},
                {"generation 3\n", "generation 03\n"},
                {"generation 3\n", "generation  3\n"},
                {"generation 3\n", "generation 3\r\n"},
                {"generation 3\n", "generation\n"},
                {"generation 3\n", "generation \n"},
                {"generation 3\n", "upgrades 7\n"},
                {"ready 1\n", "ready 2\n"},
                {"ready 1\n", "ready 1\nmore 1\n"},
                {"pid_fd 5\n", "pid_fd 2\n"},
                {"pid_fd 5\n", "pid_fd -1\n"},
                {"listen_operator_fd -1\n", "listen_operator_fd -2\n"},
                {"children 2\n", "children 1\n"},
                {"children 2\n", "children 3\n"},
                {"children 2\n", "children 257\n"},
                {"child workerd\n", "child\n"},
                {"child workerd\n", "child a-name-that-is-longer-than-any\n"},
                {"state 2\n", "state 8\n"},  /* there is none */
                {"state 2\n", "state 0\n"},  /* stopped, with a process */
                {"state 7\n", "state 2\n"},  /* ready, without one */
                {"pid 4711\n", "pid 1\n"},   /* never a child of ours */
                {"pid 4711\n", "pid 0\n"},   /* and has descriptors */
                {"pidfd 9\n", "pidfd -1\n"}, /* a bare pid is never believed */
                {"status_fd 10\n", "status_fd -1\n"},
                {"metrics_slot 11\n", "metrics_slot 256\n"},
                {"end\n", "end"},
                {"end\n", "end \n"},
                {"end\n", "end\nend\n"},
        };
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT;
        (void)state;
        fill(&h);
        _cleanup_(freep) char *good = text_of(&h);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(strbuf_deinit) struct strbuf text = STRBUF_INIT;
                struct handover ret = HANDOVER_INIT;
                struct errinfo err = ERRINFO_INIT;
                const char *at = strstr(good, rows[i].was);
                assert_non_null(at);
                strbuf_add(&text, good, (size_t)(at - good));
                strbuf_addstr(&text, rows[i].is);
                strbuf_addstr(&text, at + strlen(rows[i].was));
                if (read_text(text.buf, text.len, &ret, &err) != -EPROTO)
                        fail_msg("\"%s\" was taken for \"%s\"", rows[i].is, rows[i].was);
                assert_int_not_equal(err.text[0], '\0');
                assert_null(ret.children);
        }
}

static void test_refuses_what_is_cut(void **state)
{
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT;
        (void)state;
        fill(&h);
        _cleanup_(freep) char *good = text_of(&h);
        for (size_t len = 0; len < strlen(good); len++) {
                struct handover ret = HANDOVER_INIT;
                assert_int_equal(read_text(good, len, &ret, NULL), -EPROTO);
        }
}

static void test_refuses_other_descriptors(void **state)
{
        struct handover ret = HANDOVER_INIT;
        int unsealed = memfd_create("test", MFD_ALLOW_SEALING), null = open("/dev/null", O_RDONLY);
        char *large = xcalloc(HANDOVER_BYTES_MAX + 1, 1);
        (void)state;
        assert_int_equal(handover_read(unsealed, &ret, NULL), -EPROTO);
        assert_int_equal(handover_read(null, &ret, NULL), -EPROTO);
        assert_int_equal(handover_read(9999, &ret, NULL), -EPROTO);
        assert_int_equal(read_text(large, HANDOVER_BYTES_MAX + 1, &ret, NULL), -EPROTO);
        free(large);
        close(unsealed);
        close(null);
}

static void assert_all(const int64_t *const *fds, size_t n, int flags)
{
        for (size_t i = 0; i < n; i++)
                assert_int_equal(fcntl((int)*fds[i], F_GETFD), flags);
}

static void test_every_descriptor_stays_open(void **state)
{
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT;
        (void)state;
        fill(&h);
        int64_t *const fds[] = {&h.pid_fd,
                                &h.metrics_fd,
                                &h.listen_public_fd,
                                &h.listen_status_fd,
                                &h.listen_operator_fd,
                                &h.children[0].pidfd,
                                &h.children[0].status_fd};
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                *fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(handover_keep_open(&h, true), 0);
        assert_all((const int64_t *const *)fds, ARRAY_SIZE(fds), 0);
        assert_int_equal(handover_keep_open(&h, false), 0);
        assert_all((const int64_t *const *)fds, ARRAY_SIZE(fds), FD_CLOEXEC);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                close((int)*fds[i]);
                assert_int_equal(handover_keep_open(&h, true), -EBADF);
        }
}

static void assert_fds(const struct handover *h, const char *wrong)
{
        struct errinfo err = ERRINFO_INIT;
        int r = handover_take_fds(h, &err);
        if (wrong == NULL)
                assert_int_equal(r, 0);
        else if (r != -EPROTO || strstr(err.text, wrong) == NULL)
                fail_msg("%d, \"%s\"", r, err.text);
}

/* A process that is not our child is not taken for one, whoever it is. */
static void test_checks_what_descriptors_are(void **state)
{
        _cleanup_(handover_deinit) struct handover h = HANDOVER_INIT;
        int ends[2], listening;
        (void)state;
        fill(&h);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
        assert_int_equal(listen_open("127.0.0.1:0", &listening, NULL), 0);
        h.n_children = 0;
        h.pid_fd = 9999;
        assert_fds(&h, "open");
        h.pid_fd = h.metrics_fd = h.listen_public_fd = h.listen_status_fd = listening;
        assert_fds(&h, NULL);
        assert_int_equal(fcntl(listening, F_GETFD), FD_CLOEXEC);
        h.listen_status_fd = ends[0];
        assert_fds(&h, "a listening socket");
        h.listen_status_fd = listening;
        h.listen_operator_fd = ends[0];
        assert_fds(&h, "a listening socket");
        h.listen_operator_fd = listening;
        h.n_children = 1;
        h.children[0].pidfd = h.children[0].status_fd = ends[0];
        assert_fds(&h, "a child of ours");
        close(ends[0]);
        close(ends[1]);
        close(listening);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_what_was_written),
                cmocka_unit_test(test_refuses_what_is_different),
                cmocka_unit_test(test_refuses_what_is_cut),
                cmocka_unit_test(test_refuses_other_descriptors),
                cmocka_unit_test(test_every_descriptor_stays_open),
                cmocka_unit_test(test_checks_what_descriptors_are),
        };
        return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
