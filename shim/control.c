/* control.c - lines each way, never blocking, in a buffer of one line. */
#include "shim/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG    4
#define DIGITS_MAX 18 /* of a number that always fits */

static void hang_up(struct control *c)
{
        if (c->peer_fd >= 0)
                (void)close(c->peer_fd);
        c->peer_fd = -1;
        c->len = 0;
}

void control_init(struct control *c)
{
        int flags = fcntl(CONTROL_FD, F_GETFL);
        if (flags < 0 || fcntl(CONTROL_FD, F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0)
                return;
        c->peer_fd = CONTROL_FD;
}

bool control_is_abandoned(const struct control *c)
{
        struct pollfd peer = {.fd = c->peer_fd};
        return c->peer_fd >= 0 && poll(&peer, 1, 0) == 1 && (peer.revents & (POLLHUP | POLLERR)) != 0;
}

/* By way of the folder's descriptor: a socket's path has 107 bytes, and run folders are deeper. */
static int bind_in(int fd, int dir_fd, const char *name)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
        if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        (void)unlinkat(dir_fd, name, 0); /* nothing of this run: log_open() found the folder unused */
        if (fchmod(fd, 0600) < 0)        /* before it has a name */
                return -errno;
        if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        return 0;
}

int control_listen(struct control *c, int dir_fd, const char *name)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        int r = bind_in(fd, dir_fd, name);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        c->listen_fd = fd;
        c->dir_fd = dir_fd;
        c->name = name;
        return 0;
}

int control_accept(struct control *c)
{
        int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
                return 0;
        if (fd < 0) { /* it would be readable for ever */
                int r = -errno;
                control_end(c);
                return r;
        }
        hang_up(c);
        c->peer_fd = fd;
        return 1;
}

void control_say(struct control *c, const char *fmt, ...)
{
        char line[CONTROL_LINE_MAX];
        va_list ap;
        if (c->peer_fd < 0)
                return;
        va_start(ap, fmt);
        int n = vsnprintf(line, sizeof(line) - 1, fmt, ap); /* all of our lines fit */
        va_end(ap);
        line[n++] = '\n';
        /* One that does not read. One that is gone may have said something before: reading tells. */
        if (send(c->peer_fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
                hang_up(c);
}

static bool parse_number(const char *text, size_t len, int64_t *ret)
{
        int64_t n = 0;
        if (len == 0 || len > DIGITS_MAX)
                return false;
        for (size_t i = 0; i < len; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                n = n * 10 + (text[i] - '0');
        }
        *ret = n;
        return true;
}

enum control_word control_parse(const char *line, size_t len, int64_t *ret_sent_ms)
{
        static const struct {
                const char *text;
                enum control_word word;
        } words[] = {{"cancel", CONTROL_CANCEL}, {"shutdown", CONTROL_SHUTDOWN}, {"kill", CONTROL_KILL}};
        static const char renew[] = "renew ";
        size_t head = sizeof(renew) - 1;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (len == strlen(words[i].text) && memcmp(line, words[i].text, len) == 0)
                        return words[i].word;
        if (len > head && memcmp(line, renew, head) == 0 &&
            parse_number(line + head, len - head, ret_sent_ms))
                return CONTROL_RENEW;
        return CONTROL_NOTHING;
}

/* The first line of the buffer, if it is whole. */
static bool take_line(struct control *c, enum control_word *ret, int64_t *ret_sent_ms)
{
        const char *newline = memchr(c->line, '\n', c->len);
        if (newline == NULL)
                return false;
        size_t len = (size_t)(newline - c->line);
        *ret = control_parse(c->line, len, ret_sent_ms);
        c->len -= len + 1;
        memmove(c->line, newline + 1, c->len);
        return true;
}

void control_read(struct control *c)
{
        ssize_t n = read(c->peer_fd, c->line + c->len, sizeof(c->line) - c->len); /* never full: see below */
        if (n > 0)
                c->len += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                hang_up(c);
}

enum control_word control_next(struct control *c, int64_t *ret_sent_ms)
{
        enum control_word word = CONTROL_NOTHING;
        bool whole = take_line(c, &word, ret_sent_ms);
        if (whole ? word == CONTROL_NOTHING : c->len == sizeof(c->line))
                hang_up(c);
        return word;
}

void control_end(struct control *c)
{
        if (c->listen_fd < 0)
                return;
        (void)unlinkat(c->dir_fd, c->name, 0); /* a socket that stays refuses: nobody listens */
        (void)close(c->listen_fd);
        c->listen_fd = -1;
}
