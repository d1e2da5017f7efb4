/* control.c - a few bytes each way, never blocking. */
#include "shim/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int control_init(void)
{
        int flags = fcntl(CONTROL_FD, F_GETFL);
        if (flags < 0)
                return -1;
        if (fcntl(CONTROL_FD, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0)
                return -1;
        return CONTROL_FD;
}

void control_say(int fd, const char *line)
{
        if (fd >= 0)
                (void)send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT); /* see control.h */
}

enum cascade_cause control_read(int fd, int *ret_eof)
{
        char byte;
        for (;;) {
                ssize_t n = read(fd, &byte, 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return CASCADE_CAUSE_NONE;
                if (n <= 0) {
                        *ret_eof = 1;
                        return CASCADE_CAUSE_ORPHANED;
                }
                if (byte == 'C')
                        return CASCADE_CAUSE_CANCELLED;
                if (byte == 'S')
                        return CASCADE_CAUSE_SHUTDOWN;
                /* a byte of a later release: not for us */
        }
}
