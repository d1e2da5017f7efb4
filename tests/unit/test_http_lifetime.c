/* The HTTP client when there are many requests at once, and when they are cancelled or it is freed at odd
 * moments. */
#include "common/http_client.h"

#include "tests/unit/http_fixture.h"

static void test_connections_per_host(void **state)
{
        enum { MANY = 30 };
        struct fixture *f = *state;
        f->peer.answer = OK("2", "ok");
        for (int i = 0; i < MANY; i++)
                start(f, "POST", f->peer.url, "x");
        while (f->n_answers < MANY)
                await(f);
        assert_int_equal(f->peer.n_requests, MANY);
        assert_true(f->peer.n_open_max <= 8);
}

/* After any number of turns of the loop, also when it is over but not yet told. */
static void test_cancel_at_any_time(void **state)
{
        struct fixture *f = *state;
        f->peer.answer = OK("2", "ok");
        for (int turns = 0; turns < 40; turns++) {
                struct http_request *r = start(f, "POST", f->peer.url, "x");
                f->n_answers = 0;
                for (int i = 0; i < turns && f->n_answers == 0; i++)
                        (void)loop_run_pending(f->loop);
                if (f->n_answers == 0)
                        http_request_cancel(r);
                unsigned before = f->n_answers;
                for (int i = 0; i < 10; i++)
                        (void)loop_run_pending(f->loop);
                assert_int_equal(f->n_answers, before);
        }
        http_request_cancel(NULL);
        request(f, "GET", NULL);
        assert_ended(f, HTTP_ANSWERED, "");
}

static void test_cancel_in_a_callback(void **state)
{
        struct fixture *f = *state;
        f->peer.answer = OK("2", "ok");
        start(f, "GET", f->peer.url, NULL);
        f->cancel_in_callback = start(f, "GET", f->peer.url, NULL);
        await(f);
        assert_null(f->cancel_in_callback);
        f->cancel_in_callback = start(f, "GET", f->peer.url, NULL); /* itself */
        await(f);
        for (int i = 0; i < 20; i++)
                (void)loop_run_pending(f->loop);
        assert_int_equal(f->n_answers, 2);
}

static void test_free_in_a_callback(void **state)
{
        struct fixture *f = *state;
        f->peer.answer = OK("2", "ok");
        f->free_in_callback = true;
        for (int i = 0; i < 12; i++)
                start(f, "POST", f->peer.url, "x");
        await(f);
        assert_int_equal(f->n_answers, 1);
        assert_null(f->client);
}

static void test_free_while_running(void **state)
{
        struct fixture *f = *state;
        f->peer.then = PEER_SILENT;
        for (int i = 0; i < 12; i++)
                start(f, "POST", f->peer.url, "x");
        while (f->peer.n_requests < 3)
                (void)loop_run_pending(f->loop);
        http_client_free(take_ptr(f->client));
        http_client_free(NULL);
        assert_int_equal(f->n_answers, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_setup, http_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_connections_per_host), TEST(test_cancel_at_any_time),
                TEST(test_cancel_in_a_callback), TEST(test_free_in_a_callback),
                TEST(test_free_while_running),
        };
        return cmocka_run_group_tests_name("http_lifetime", tests, NULL, NULL);
}
