/* peer.h - who is at the other end, as far as sharing a limit goes. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

struct sockaddr;

/* One IPv4 address, everybody who comes through a Unix socket, or one IPv6 network of 64 bits: whoever has
 * one address of such a network has all of them. */
struct peer {
        unsigned char network[8];
        unsigned char v4[4];
        char text[INET6_ADDRSTRLEN]; /* the whole address, for logs */
};

void peer_init(struct peer *p, const struct sockaddr *addr);
bool peer_same(const struct peer *a, const struct peer *b);
