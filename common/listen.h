/* listen.h - opens a listening socket: TCP from "127.0.0.1:8480" or "[::1]:8480", literal addresses only, so
 * that no name is ever looked up; or a Unix socket from a path that begins with '/', which its owner and
 * group may use. Non-blocking, close-on-exec, SO_REUSEADDR. Port 0: the kernel's choice. The file of a Unix
 * socket that nobody listens on any more is replaced. */
#pragma once

#include "common/err.h"

int listen_open(const char *address, int *ret_fd, struct errinfo *err); /* 0 or -errno */
/* One that was inherited as descriptor number `number`; it becomes non-blocking and close-on-exec. 0 or
 * -errno. */
int listen_inherited(const char *number, int *ret_fd, struct errinfo *err);
/* The port a socket is bound to, 0 for a Unix socket, or -errno. */
int listen_port(int fd);
/* Closes it, and takes away the file of a Unix socket: nobody else may listen on it. -1 is fine. */
void listen_close(int fd);
