/* listen.c - reads an address strictly, and opens a listening socket on it. */
#include "common/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

union address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
        struct sockaddr_storage largest;
};

/* Digits only: strtoul() would also take blanks and signs. */
static int parse_port(const char *s, in_port_t *ret_port)
{
        unsigned port = 0;
        size_t len = strlen(s);
        if (len == 0 || len > 5 || strspn(s, "0123456789") != len)
                return -EINVAL;
        for (; *s != '\0'; s++)
                port = port * 10 + (unsigned)(*s - '0');
        if (port > 65535)
                return -EINVAL;
        *ret_port = htons((in_port_t)port);
        return 0;
}

/* "HOST:PORT" or "[HOST]:PORT" into its two parts. */
static int split_address(const char *s, char host[INET6_ADDRSTRLEN], const char **ret_port)
{
        const char *end = *s == '[' ? strstr(s, "]:") : strchr(s, ':');
        const char *start = *s == '[' ? s + 1 : s;
        if (end == NULL || (size_t)(end - start) >= INET6_ADDRSTRLEN)
                return -EINVAL;
        memcpy(host, start, (size_t)(end - start));
        host[end - start] = '\0';
        *ret_port = end + (*end == ']' ? 2 : 1);
        return 0;
}

static int parse_path(const char *s, union address *ret, socklen_t *ret_len)
{
        size_t len = strlen(s);
        if (len >= sizeof(ret->path.sun_path))
                return -EINVAL;
        memset(ret, 0, sizeof(*ret));
        ret->path.sun_family = AF_UNIX;
        memcpy(ret->path.sun_path, s, len);
        *ret_len = sizeof(ret->path);
        return 0;
}

static int parse_address(const char *s, union address *ret, socklen_t *ret_len)
{
        char host[INET6_ADDRSTRLEN];
        const char *port_text;
        in_port_t port;
        if (*s == '/')
                return parse_path(s, ret, ret_len);
        if (split_address(s, host, &port_text) < 0 || parse_port(port_text, &port) < 0)
                return -EINVAL;
        memset(ret, 0, sizeof(*ret));
        if (*s == '[') {
                ret->v6.sin6_family = AF_INET6;
                ret->v6.sin6_port = port;
                *ret_len = sizeof(ret->v6);
                return inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1 ? 0 : -EINVAL;
        }
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = port;
        *ret_len = sizeof(ret->v4);
        return inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

/* Whether the path is a socket that nobody listens on: what a process left that could not tidy up. */
static bool is_left_behind(const union address *addr, socklen_t len)
{
        struct stat st;
        _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return fd >= 0 && lstat(addr->path.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
               connect(fd, &addr->any, len) < 0 && errno == ECONNREFUSED;
}

static int bind_path(int fd, const union address *addr, socklen_t len)
{
        /* Before it has a name: the file then has this mode from the beginning. */
        if (fchmod(fd, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP) < 0)
                return -errno;
        if (bind(fd, &addr->any, len) == 0)
                return 0;
        int error = errno;
        if (error != EADDRINUSE || !is_left_behind(addr, len))
                return -error;
        if (unlink(addr->path.sun_path) < 0 || bind(fd, &addr->any, len) < 0)
                return -errno;
        return 0;
}

static int bind_and_listen_on_path(int fd, const union address *addr, socklen_t len)
{
        int r = bind_path(fd, addr, len);
        if (r == 0 && listen(fd, SOMAXCONN) < 0)
                r = -errno;
        return r;
}

static int bind_and_listen(int fd, const union address *addr, socklen_t len)
{
        if (addr->any.sa_family == AF_UNIX)
                return bind_and_listen_on_path(fd, addr, len);
        const int on = 1;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (addr->any.sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
                return -errno;
        if (bind(fd, &addr->any, len) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;
        return 0;
}

int listen_open(const char *address, int *ret_fd, struct errinfo *err)
{
        union address addr;
        socklen_t len;
        if (parse_address(address, &addr, &len) < 0) {
                err_set(err, NULL,
                        "\"%s\" is not an address to listen on: write 127.0.0.1:8480 or [::1]:8480, or the "
                        "path of "
                        "a Unix socket, of at most %zu bytes",
                        address, sizeof(addr.path.sun_path) - 1);
                return -EINVAL;
        }
        int fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int r = fd < 0 ? -errno : bind_and_listen(fd, &addr, len);
        if (r < 0) {
                err_set(err, NULL, "cannot listen on %s: %s", address, log_errno_text(r));
                closep(&fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

static int adopt(const char *number, int *ret_fd)
{
        char *end;
        int listening;
        socklen_t len = sizeof(listening);
        errno = 0;
        long fd = strtol(number, &end, 10);
        if (errno != 0 || end == number || *end != '\0' || fd < 0 || fd > INT32_MAX)
                return -EINVAL;
        if (getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
                return -errno;
        if (!listening)
                return -ENOTCONN;
        if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl((int)fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        *ret_fd = (int)fd;
        return 0;
}

int listen_inherited(const char *number, int *ret_fd, struct errinfo *err)
{
        int r = adopt(number, ret_fd);
        if (r < 0)
                err_set(err, NULL, "descriptor \"%s\" is not a listening socket: %s", number,
                        log_errno_text(r));
        return r;
}

int listen_port(int fd)
{
        union address addr = {.any = {.sa_family = AF_UNSPEC}};
        socklen_t len = sizeof(addr);
        if (getsockname(fd, &addr.any, &len) < 0)
                return -errno;
        if (addr.any.sa_family == AF_INET)
                return ntohs(addr.v4.sin_port);
        if (addr.any.sa_family == AF_INET6)
                return ntohs(addr.v6.sin6_port);
        return addr.any.sa_family == AF_UNIX ? 0 : -EAFNOSUPPORT;
}

void listen_close(int fd)
{
        union address addr = {.any = {.sa_family = AF_UNSPEC}};
        socklen_t len = sizeof(addr);
        if (fd < 0)
                return;
        if (getsockname(fd, &addr.any, &len) == 0 && addr.any.sa_family == AF_UNIX &&
            addr.path.sun_path[0] == '/')
                (void)unlink(addr.path.sun_path); /* else the next one finds it left behind */
        (void)close(fd);
}
