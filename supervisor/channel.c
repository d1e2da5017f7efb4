/* channel.c - reads status messages. */
#include "supervisor/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"

struct channel {
        int fd;
        struct loop_io *io;
        const char *name;
        channel_fn *fn;
        void *arg;
};

/* Level-triggered: one message per call, so that a child that talks without end starves nobody. */
static void on_readable(void *arg, int fd, unsigned events)
{
        struct channel *ch = arg;
        struct contract_status status;
        /* MSG_TRUNC: the true length of the message, so that one that is too long is not taken for a good
         * one. */
        ssize_t n = recv(fd, &status, sizeof(status), MSG_DONTWAIT | MSG_TRUNC);

        (void)events; /* reading is all we asked for */
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                loop_io_set(
                        ch->io,
                        0); /* closed by the child; its end, if it ends, is told by its parent, the kernel */
                return;
        }
        if (n != (ssize_t)sizeof(status)) {
                log_warning(EV("child.bad-message"), LF_S("child", ch->name), LF_I("bytes", n));
                return;
        }
        ch->fn(ch->arg, &status);
}

struct channel *channel_new(struct loop *loop, int fd, const char *name, channel_fn *fn, void *arg)
{
        struct channel *ch = xcalloc(1, sizeof(*ch));

        ch->fd = fd;
        ch->name = name;
        ch->fn = fn;
        ch->arg = arg;
        ch->io = loop_io_new(loop, fd, LOOP_READ, on_readable, ch);
        return ch;
}

int channel_fd(const struct channel *ch)
{
        return ch->fd;
}

void channel_free(struct channel *ch)
{
        if (ch == NULL)
                return;
        loop_io_free(ch->io);
        (void)close(ch->fd);
        free(ch);
}
