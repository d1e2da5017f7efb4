/* listen.h - opens a listening TCP socket from "127.0.0.1:8480" or "[::1]:8480"; literal addresses only, so
 * that no name is ever looked up. Non-blocking, close-on-exec, SO_REUSEADDR. Port 0: the kernel's choice. */
#pragma once

#include "common/err.h"

int listen_open(const char *address, int *ret_fd, struct errinfo *err); /* 0 or -errno */
/* One that was inherited as descriptor number `number`; it becomes non-blocking and close-on-exec. 0 or
 * -errno. */
int listen_inherited(const char *number, int *ret_fd, struct errinfo *err);
/* The port a socket is bound to, or -errno. */
int listen_port(int fd);
