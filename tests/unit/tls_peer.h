/* tls_peer.h - a TLS server in a process of its own, whose certificate nobody vouches for. */
#pragma once

#include <sys/types.h>

/* Serves one connection; the URL's port in *ret_port. Ends the test process when it cannot. */
pid_t tls_peer_start(int *ret_port);
/* Waits for its end: how many bytes of a request it was sent. */
int tls_peer_finish(pid_t pid);
