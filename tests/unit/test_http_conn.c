/* One connection over a socket pair and a clock that stands still: deadlines, cutting, budget, and who is
 * told. */
#include "web/http_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"
#include "tests/unit/cm.h"
#include "web/budget.h"
#include "web/http_reply.h"
#include "web/peer.h"

#define HEAD "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
#define BODY "0123456789"

static const struct http_limits limits = {
        .head = {.line_bytes = 2048, .head_bytes = 4096, .fields = 8},
        .header_ms = 5000,
        .request_ms = 15000,
        .write_ms = 4000,
};

struct fixture {
        struct loop *loop;
        struct budget *budget;
        struct http_conn_config cfg;
        struct http_conn *conn;
        int peer; /* the other end */
        bool refuse_head, answer_at_once, drop_at_once, closed, gone;
        int requests;
};

static bool on_head(void *arg, struct http_conn *c)
{
        struct fixture *f = arg;
        static const struct http_reply refusal = {.status = 404};
        if (f->refuse_head)
                http_conn_reply(c, &refusal);
        return !f->refuse_head;
}

static void on_gone(void *arg)
{
        struct fixture *f = arg;
        f->gone = true;
}

static void answer(struct fixture *f)
{
        static const struct http_reply reply = {.status = 200, .body = "yes", .body_len = 3};
        http_conn_reply(f->conn, &reply);
}

static void on_request(void *arg, struct http_conn *c)
{
        struct fixture *f = arg;
        f->requests++;
        assert_string_equal(http_conn_body(c)->buf, BODY);
        if (f->answer_at_once)
                answer(f);
        else if (f->drop_at_once)
                http_conn_drop(c);
        else
                http_conn_hold(c, on_gone, f);
}

static void on_closed(void *owner)
{
        struct fixture *f = owner;
        f->closed = true;
}

static void start(struct fixture *f)
{
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        *f = (struct fixture){.peer = fds[1]};
        assert_int_equal(loop_new(&f->loop), 0);
        loop_clock_freeze(f->loop);
        f->budget = budget_new(f->loop, 1 << 20);
        f->cfg = (struct http_conn_config){.loop = f->loop,
                                           .limits = &limits,
                                           .budget = f->budget,
                                           .on_head = on_head,
                                           .on_request = on_request,
                                           .arg = f};
        f->conn = http_conn_new(&f->cfg, fds[0], &(struct peer){.text = "peer"}, on_closed, f);
}

/* Some turns of the loop: libevent defers work of its own from one to the next, closing sockets among it. */
static void run(struct fixture *f)
{
        for (int i = 0; i < 8; i++)
                (void)loop_run_pending(f->loop);
}

static void pass(struct fixture *f, int64_t ms)
{
        loop_clock_advance(f->loop, ms);
        run(f);
}

static void finish(struct fixture *f)
{
        if (!f->closed)
                http_conn_abort(f->conn);
        run(f);
        assert_true(f->closed);
        (void)close(f->peer);
        budget_free(f->budget); /* asserts that everything was given back */
        loop_free(f->loop);
}

static void say(struct fixture *f, const char *text)
{
        assert_int_equal(send(f->peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
        run(f);
}

/* What has arrived since the last look; "" for nothing, NULL for the end. */
static const char *hear(struct fixture *f)
{
        static char buf[4096];
        ssize_t n = recv(f->peer, buf, sizeof(buf) - 1, 0);
        if (n < 0)
                assert_int_equal(errno, EAGAIN);
        buf[n > 0 ? n : 0] = '\0';
        return n == 0 ? NULL : buf;
}

static void expect_status(struct fixture *f, const char *status)
{
        const char *text = hear(f);
        assert_non_null(text);
        assert_memory_equal(text, "HTTP/1.1 ", 9);
        assert_memory_equal(text + 9, status, 3);
        assert_null(hear(f));
}

static void test_answered(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        f.answer_at_once = true;
        say(&f, HEAD BODY);
        expect_status(&f, "200");
        assert_false(f.closed); /* lingers for the peer's end */
        assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
        run(&f);
        assert_true(f.closed);
        finish(&f);
}

static void test_every_split(void **state)
{
        static const char text[] = HEAD BODY;
        (void)state;
        for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
                struct fixture f;
                _cleanup_(freep) char *first = xstrndup(text, cut);
                start(&f);
                f.answer_at_once = true;
                say(&f, first);
                assert_int_equal(f.requests, 0);
                say(&f, text + cut);
                assert_int_equal(f.requests, 1);
                expect_status(&f, "200");
                finish(&f);
        }
}

static void test_linger_ends(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        f.refuse_head = true;
        say(&f, HEAD);
        expect_status(&f, "404");
        pass(&f, 900);
        say(&f, "more that nobody reads");
        assert_false(f.closed);
        pass(&f, 100);
        assert_true(f.closed);
        finish(&f);
}

/* A byte every second buys no time: 5 s for the head, counted from accept. */
static void test_head_drip(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        for (int i = 0; i < 4; i++) {
                say(&f, "G");
                pass(&f, 1000);
        }
        say(&f, "G");
        pass(&f, 999);
        assert_false(f.closed);
        pass(&f, 1);
        assert_true(f.closed);
        assert_null(hear(&f));
        finish(&f);
}

/* 15 s for all of it, also counted from accept. */
static void test_body_drip(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        pass(&f, 4000);
        say(&f, HEAD);
        for (int i = 0; i < 9; i++) {
                say(&f, "0");
                pass(&f, 1200);
        }
        assert_false(f.closed);
        pass(&f, 200);
        assert_true(f.closed);
        assert_int_equal(f.requests, 0);
        assert_null(hear(&f));
        finish(&f);
}

static void test_slow_owner_is_not_cut(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        say(&f, HEAD BODY);
        pass(&f, 100000);
        assert_false(f.closed);
        answer(&f);
        run(&f);
        expect_status(&f, "200");
        finish(&f);
}

static void test_reader_that_does_not_read(void **state)
{
        struct fixture f;
        _cleanup_(freep) char *large = xcalloc(1, 1 << 20);
        const struct http_reply reply = {.status = 200, .body = large, .body_len = 1 << 20};
        (void)state;
        start(&f);
        say(&f, HEAD BODY);
        http_conn_reply(f.conn, &reply);
        run(&f);
        pass(&f, 3999);
        assert_false(f.closed);
        pass(&f, 1);
        assert_true(f.closed);
        finish(&f);
}

static void test_abort_tells_the_holder(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        say(&f, HEAD BODY);
        http_conn_abort(f.conn);
        run(&f);
        assert_true(f.gone && f.closed);
        assert_null(hear(&f));
        finish(&f);
}

static void test_drop_tells_nobody(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        f.drop_at_once = true;
        say(&f, HEAD BODY);
        assert_true(f.closed);
        assert_false(f.gone);
        assert_null(hear(&f));
        finish(&f);
}

static void test_peer_leaves_early(void **state)
{
        static const char *const parts[] = {"", "POST", HEAD, HEAD "0123"};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                struct fixture f;
                start(&f);
                say(&f, parts[i]);
                assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
                run(&f);
                assert_true(f.closed);
                assert_int_equal(f.requests, 0);
                finish(&f);
        }
}

static void test_half_close_is_answered(void **state)
{
        struct fixture f;
        (void)state;
        start(&f);
        say(&f, HEAD BODY);
        assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
        run(&f);
        assert_false(f.closed);
        answer(&f);
        run(&f);
        expect_status(&f, "200");
        finish(&f);
}

/* Beyond the bound a body waits, also when its peer has already said its last, and goes on when there is
 * room. */
static void test_waits_for_room(void **state)
{
        struct fixture f;
        struct budget_claim full = {.bytes = 0}, beyond = {.bytes = 0};
        (void)state;
        start(&f);
        assert_true(budget_take(f.budget, &full, 1 << 20));
        assert_true(budget_take(f.budget, &beyond, 1));
        f.answer_at_once = true;
        say(&f, HEAD BODY);
        assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
        run(&f);
        assert_int_equal(f.requests, 0);
        assert_false(f.closed);
        budget_return(f.budget, &full);
        run(&f);
        assert_int_equal(f.requests, 1);
        expect_status(&f, "200");
        budget_return(f.budget, &beyond);
        finish(&f);
}

static void test_deadline_while_waiting_for_room(void **state)
{
        struct fixture f;
        struct budget_claim full = {.bytes = 0}, beyond = {.bytes = 0};
        (void)state;
        start(&f);
        assert_true(budget_take(f.budget, &full, 1 << 20));
        assert_true(budget_take(f.budget, &beyond, 1));
        say(&f, HEAD BODY);
        pass(&f, 15000);
        assert_true(f.closed);
        budget_return(f.budget, &full);
        budget_return(f.budget, &beyond);
        finish(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answered),
                cmocka_unit_test(test_every_split),
                cmocka_unit_test(test_linger_ends),
                cmocka_unit_test(test_head_drip),
                cmocka_unit_test(test_body_drip),
                cmocka_unit_test(test_slow_owner_is_not_cut),
                cmocka_unit_test(test_reader_that_does_not_read),
                cmocka_unit_test(test_abort_tells_the_holder),
                cmocka_unit_test(test_drop_tells_nobody),
                cmocka_unit_test(test_peer_leaves_early),
                cmocka_unit_test(test_half_close_is_answered),
                cmocka_unit_test(test_waits_for_room),
                cmocka_unit_test(test_deadline_while_waiting_for_room),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
