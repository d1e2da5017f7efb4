/* parent.c - messages to the supervisor, and its end. One bit per kind of message waits to be sent: each kind
 * says something about now, so saying it twice late is no better than once. */
#include "common/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mem.h"

static const enum contract_status_kind kinds[] = {CONTRACT_READY, CONTRACT_DRAINING, CONTRACT_ALIVE};

struct parent {
        int fd;             /* -1: none, or gone */
        struct loop_io *io; /* NULL: the same */
        struct loop_timer *alive;
        uint32_t busy;
        unsigned unsaid; /* bit i: kinds[i] */
        void (*on_gone)(void *arg);
        void *arg;
};

static void hang_up(struct parent *p)
{
        loop_timer_free(take_ptr(p->alive));
        loop_io_free(take_ptr(p->io));
        closep(&p->fd);
        p->fd = -1;
}

/* False when the channel has no room. */
static bool send_one(const struct parent *p, enum contract_status_kind kind)
{
        const struct contract_status status = {.kind = (uint8_t)kind, .busy = p->busy};
        ssize_t n = send(p->fd, &status, sizeof(status), MSG_DONTWAIT | MSG_NOSIGNAL);
        /* Any other failure means that nobody reads any more: then the descriptor becomes readable, which
         * tells. */
        return n >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

static void flush(struct parent *p)
{
        for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
                if ((p->unsaid & 1u << i) != 0 && send_one(p, kinds[i]))
                        p->unsaid &= ~(1u << i);
        loop_io_set(p->io, LOOP_READ | (p->unsaid != 0 ? LOOP_WRITE : 0u));
}

void parent_say(struct parent *p, enum contract_status_kind kind)
{
        if (p->io == NULL)
                return;
        for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
                if (kinds[i] == kind)
                        p->unsaid |= 1u << i;
        flush(p);
}

void parent_busy(struct parent *p, uint32_t units)
{
        p->busy = units;
}

static void on_alive(void *arg)
{
        struct parent *p = arg;
        parent_say(p, CONTRACT_ALIVE);
        loop_timer_arm(p->alive, CONTRACT_ALIVE_MS);
}

static void on_channel(void *arg, int fd, unsigned events)
{
        struct parent *p = arg;
        char ignored[64]; /* the supervisor says nothing in words; it sends signals */
        if ((events & LOOP_WRITE) != 0)
                flush(p);
        if ((events & LOOP_READ) == 0)
                return;
        ssize_t n = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);
        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
                return;
        hang_up(p);
        p->on_gone(p->arg);
}

/* The descriptor that the environment names; -1: none. */
static int find_channel(int *ret_fd)
{
        const char *text = getenv(CONTRACT_ENV_STATUS_FD);
        char *end;
        int type;
        socklen_t len = sizeof(type);
        *ret_fd = -1;
        if (text == NULL || *text == '\0')
                return 0;
        errno = 0;
        long fd = strtol(text, &end, 10);
        if (errno != 0 || *end != '\0' || fd < 0 || fd > INT32_MAX)
                return -EINVAL;
        if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
                return -errno;
        if (type != SOCK_SEQPACKET)
                return -EPROTOTYPE;
        if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
                return -errno;
        *ret_fd = (int)fd;
        return 0;
}

int parent_new(struct loop *loop, void (*on_gone)(void *arg), void *arg, struct parent **ret_parent)
{
        int fd;
        int r = find_channel(&fd);
        if (r < 0)
                return r;
        struct parent *p = xcalloc(1, sizeof(*p));
        *p = (struct parent){.fd = fd, .on_gone = on_gone, .arg = arg};
        if (fd >= 0) {
                p->io = loop_io_new(loop, fd, LOOP_READ, on_channel, p);
                p->alive = loop_timer_new(loop, on_alive, p);
                loop_timer_arm(p->alive, CONTRACT_ALIVE_MS);
        }
        *ret_parent = p;
        return 0;
}

void parent_free(struct parent *p)
{
        if (p == NULL)
                return;
        hang_up(p);
        free(p);
}
