/* peer.c - see peer.h. */
#include "web/peer.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static void peer_init_v4(struct peer *p, const void *addr)
{
        memcpy(p->v4, addr, sizeof(p->v4));
        (void)inet_ntop(AF_INET, addr, p->text, sizeof(p->text)); /* the buffer is large enough */
}

static void peer_init_v6(struct peer *p, const struct in6_addr *addr)
{
        memcpy(p->network, addr, sizeof(p->network));
        (void)inet_ntop(AF_INET6, addr, p->text, sizeof(p->text));
}

void peer_init(struct peer *p, const struct sockaddr *addr)
{
        static const struct peer local = {.text = "unix"}, other = {.text = "unknown"};
        *p = addr->sa_family == AF_UNIX ? local : other;
        if (addr->sa_family == AF_INET) {
                peer_init_v4(p, &((const struct sockaddr_in *)addr)->sin_addr);
        } else if (addr->sa_family == AF_INET6) {
                const struct in6_addr *in6 = &((const struct sockaddr_in6 *)addr)->sin6_addr;
                if (IN6_IS_ADDR_V4MAPPED(in6))
                        peer_init_v4(p, in6->s6_addr + 12);
                else
                        peer_init_v6(p, in6);
        }
}

bool peer_same(const struct peer *a, const struct peer *b)
{
        return memcmp(a->network, b->network, sizeof(a->network)) == 0 &&
               memcmp(a->v4, b->v4, sizeof(a->v4)) == 0;
}
