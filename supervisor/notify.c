/* notify.c - the sd_notify protocol; see sd_notify(3), "Notes", for the wire format. */
#include "supervisor/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"

struct notify {
        int fd; /* -1: nobody to tell */
        struct sockaddr_un addr;
        socklen_t addr_len;
        char *status; /* the last one sent */
        struct loop_timer *watchdog;
        int64_t watchdog_ms;
};

/* "/path", or "@name" for the abstract namespace, whose names begin with a NUL byte. 0 or -errno. */
static int parse_address(struct notify *n, const char *text)
{
        size_t len = strlen(text);

        if ((text[0] != '/' && text[0] != '@') || len < 2)
                return -EAFNOSUPPORT;
        if (len >= sizeof(n->addr.sun_path))
                return -ENAMETOOLONG;
        n->addr.sun_family = AF_UNIX;
        memcpy(n->addr.sun_path, text, len);
        if (text[0] == '@')
                n->addr.sun_path[0] = '\0';
        /* An abstract name is exactly its bytes; a path counts its terminator. */
        n->addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
        return 0;
}

static int open_socket(struct notify *n, const char *text)
{
        int r = parse_address(n, text);

        if (r < 0)
                return r;
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return n->fd < 0 ? -errno : 0;
}

static bool parse_number(const char *text, uint64_t *ret)
{
        char *end;

        errno = 0;
        *ret = strtoull(text, &end, 10);
        return errno == 0 && *end == '\0' && text[0] >= '0' && text[0] <= '9';
}

/* Half the period asked for, or 0. WATCHDOG_PID names the process that is meant, when it is not everybody. */
static int64_t watchdog_interval_ms(void)
{
        const char *usec_text = getenv("WATCHDOG_USEC");
        const char *pid_text = getenv("WATCHDOG_PID");
        uint64_t usec, pid;

        if (usec_text == NULL || !parse_number(usec_text, &usec) || usec == 0 || usec > INT64_MAX)
                return 0;
        if (pid_text != NULL && (!parse_number(pid_text, &pid) || pid != (uint64_t)getpid()))
                return 0;
        return usec >= 2000 ? (int64_t)(usec / 2000) : 1;
}

static void on_watchdog(void *arg)
{
        struct notify *n = arg;

        (void)notify_send(n, "WATCHDOG=1");
        loop_timer_arm(n->watchdog, n->watchdog_ms);
}

struct notify *notify_new(struct loop *loop)
{
        struct notify *n = xcalloc(1, sizeof(*n));
        const char *text = getenv("NOTIFY_SOCKET");
        int r;

        n->fd = -1;
        if (text == NULL)
                return n;
        r = open_socket(n, text);
        if (r < 0) {
                log_warning(EV("notify.unusable"), LF_S("socket", text), LF_ERRNO(r));
                return n;
        }
        n->watchdog_ms = watchdog_interval_ms();
        if (n->watchdog_ms > 0) {
                n->watchdog = loop_timer_new(loop, on_watchdog, n);
                loop_timer_soon(n->watchdog);
        }
        return n;
}

void notify_free(struct notify *n)
{
        if (n == NULL)
                return;
        loop_timer_free(n->watchdog);
        if (n->fd >= 0)
                (void)close(n->fd);
        free(n->status);
        free(n);
}

bool notify_send(struct notify *n, const char *lines)
{
        ssize_t sent;

        if (n->fd < 0)
                return false;
        sent = sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
                      (const struct sockaddr *)&n->addr, n->addr_len);
        /* orchctl up, for one, listens only until it has heard READY. */
        if (sent < 0 && errno == ECONNREFUSED)
                log_debug(EV("notify.unheard"), LF_S("message", lines));
        else if (sent < 0)
                log_warning(EV("notify.failed"), LF_S("message", lines), LF_ERRNO(errno));
        return sent >= 0;
}

void notify_ready(struct notify *n)
{
        (void)notify_send(n, "READY=1");
}

void notify_reloading(struct notify *n)
{
        struct timespec now;
        char *lines;

        /* Type=notify-reload takes the message for an answer to its own signal only when it is younger. */
        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
        lines = xasprintf("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                          (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
        (void)notify_send(n, lines);
        free(lines);
}

void notify_stopping(struct notify *n)
{
        (void)notify_send(n, "STOPPING=1");
}

void notify_status(struct notify *n, const char *text)
{
        char *line;

        if (n->fd < 0 || (n->status != NULL && strcmp(n->status, text) == 0))
                return;
        free(n->status);
        n->status = xstrdup(text);
        line = xasprintf("STATUS=%s", text);
        (void)notify_send(n, line);
        free(line);
}
