/* Who has failed too often, and for how long. */
#include "operatord/failures.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "tests/unit/cm.h"
#include "web/peer.h"

static struct peer peer(unsigned n)
{
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(n + 1)};
        struct peer p;
        peer_init(&p, (const struct sockaddr *)&in);
        return p;
}

static void exhaust(struct failures *f, const struct peer *p, int64_t now)
{
        for (int i = 0; i < FAILURES_BURST; i++)
                assert_false(failures_add(f, p, now));
        assert_true(failures_add(f, p, now));
}

static void test_a_burst_and_then_one_at_a_time(void **state)
{
        struct failures *f = failures_new();
        const struct peer p = peer(1), other = peer(2);
        (void)state;
        exhaust(f, &p, 1000);
        assert_false(failures_add(f, &other, 1000)); /* everybody for himself */
        assert_true(failures_add(f, &p, 1000 + FAILURES_REFILL_MS - 1));
        assert_false(failures_add(f, &p, 1000 + FAILURES_REFILL_MS));
        assert_true(failures_add(f, &p, 1000 + FAILURES_REFILL_MS));
        exhaust(f, &p, 1000 + 100 * FAILURES_REFILL_MS);
        failures_free(f);
        failures_free(NULL);
}

/* The table is full: who was remembered longest without a new failure is forgotten first. */
static void test_only_the_latest_peers_are_remembered(void **state)
{
        struct failures *f = failures_new();
        const struct peer first = peer(0);
        (void)state;
        exhaust(f, &first, 1000);
        for (unsigned i = 1; i < FAILURES_PEERS; i++) {
                const struct peer p = peer(i);
                assert_false(failures_add(f, &p, 1000));
        }
        assert_true(failures_add(f, &first, 1000));
        const struct peer one_more = peer(FAILURES_PEERS);
        assert_false(failures_add(f, &one_more, 1000));
        assert_true(failures_add(f, &first, 1000)); /* the one with the most failures stays */
        failures_free(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_burst_and_then_one_at_a_time),
                cmocka_unit_test(test_only_the_latest_peers_are_remembered),
        };
        return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
