/* Who shares a limit with whom. */
#include "web/peer.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "common/mem.h"
#include "tests/unit/cm.h"

static struct peer peer_of(const char *address)
{
        struct sockaddr_in in4 = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        struct peer p;
        if (inet_pton(AF_INET, address, &in4.sin_addr) == 1) {
                peer_init(&p, (const struct sockaddr *)&in4);
        } else {
                assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
                peer_init(&p, (const struct sockaddr *)&in6);
        }
        return p;
}

static void test_same(void **state)
{
        static const struct {
                const char *a, *b;
                bool same;
        } rows[] = {
                {"192.0.2.1", "192.0.2.1", true},
                {"192.0.2.1", "192.0.2.2", false},
                {"::ffff:192.0.2.1", "192.0.2.1", true},
                {"2001:db8:1:2::3", "2001:db8:1:2:ffff::4", true},
                {"2001:db8:1:2::3", "2001:db8:1:3::3", false},
                {"::1", "127.0.0.1", false},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                struct peer a = peer_of(rows[i].a), b = peer_of(rows[i].b);
                assert_int_equal(peer_same(&a, &b), rows[i].same);
                assert_int_equal(peer_same(&b, &a), rows[i].same);
        }
}

static void test_text(void **state)
{
        const struct sockaddr_un local = {.sun_family = AF_UNIX};
        const struct sockaddr other = {.sa_family = AF_UNSPEC};
        struct peer p;
        (void)state;
        assert_string_equal(peer_of("192.0.2.1").text, "192.0.2.1");
        assert_string_equal(peer_of("::ffff:192.0.2.1").text, "192.0.2.1");
        assert_string_equal(peer_of("2001:db8::1").text, "2001:db8::1");
        peer_init(&p, (const struct sockaddr *)&local);
        assert_string_equal(p.text, "unix");
        peer_init(&p, &other);
        assert_string_equal(p.text, "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_same),
                cmocka_unit_test(test_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
