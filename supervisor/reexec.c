/* reexec.c - the exec of reexec.h, and finding oneself executed so. */
#include "supervisor/reexec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/argv.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "supervisor/handover.h"

void reexec_command(struct argv *command, const char *program, char *const *args)
{
        argv_add(command, program);
        for (char *const *a = args; *a != NULL; a++)
                argv_add(command, *a);
}

/* Comes back with -errno only. */
static int become(const char *program, char *const *args, int fd)
{
        _cleanup_(argv_deinit) struct argv command = ARGV_INIT;
        _cleanup_(freep) char *number = xasprintf("%d", fd);
        int r;

        reexec_command(&command, program, args);
        if (setenv(REEXEC_ENV_FD, number, 1) < 0)
                return -errno;
        (void)execv(program, command.words);
        r = -errno;
        (void)unsetenv(REEXEC_ENV_FD); /* cannot fail for a valid name */
        return r;
}

int reexec(const char *program, char *const *args, const struct handover *h, struct errinfo *err)
{
        _cleanup_(closep) int fd = -1;
        int r = handover_write(h, &fd, err);

        if (r < 0)
                return r;
        r = fcntl(fd, F_SETFD, 0) < 0 ? -errno : handover_keep_open(h, true);
        if (r == 0)
                r = become(program, args, fd);
        (void)handover_keep_open(h, false); /* they are open: nothing has closed them */
        err_set(err, NULL, "cannot become %s: %s", program, log_errno_text(r));
        return r;
}

static int parse_fd(const char *text)
{
        char *end;
        long fd;

        errno = 0;
        fd = strtol(text, &end, 10);
        return errno == 0 && *end == '\0' && fd > STDERR_FILENO && fd <= INT_MAX ? (int)fd : -EBADF;
}

int reexec_inherited(bool *ret_trial)
{
        const char *text = getenv(REEXEC_ENV_FD);
        int fd;

        if (text == NULL)
                return REEXEC_NONE;
        fd = parse_fd(text);
        if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                fd = -errno;
        *ret_trial = getenv(REEXEC_ENV_TRIAL) != NULL;
        (void)unsetenv(REEXEC_ENV_FD); /* neither can fail for a valid name */
        (void)unsetenv(REEXEC_ENV_TRIAL);
        return fd;
}
