/* doc_file.c - see doc_file.h. */
#include "workerd/doc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

#define FOLDER (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Enters the folder `name` below `fd`, which it closes; made when it is missing. fd or -errno. */
static int enter(int fd, const char *name)
{
        int next = mkdirat(fd, name, 0755) < 0 && errno != EEXIST ? -1 : openat(fd, name, FOLDER);
        int error = errno;
        (void)close(fd);
        return next < 0 ? -error : next;
}

static int write_all(int fd, const char *text)
{
        size_t len = strlen(text);
        while (len > 0) {
                ssize_t n = write(fd, text, len);
                if (n < 0 && errno != EINTR)
                        return -errno;
                text += n > 0 ? n : 0;
                len -= n > 0 ? (size_t)n : 0;
        }
        return 0;
}

static int put(int folder, const char *name, const char *text)
{
        if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
                return -errno;
        _cleanup_(closep) int fd =
                openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        return fd < 0 ? -errno : write_all(fd, text);
}

int doc_file_write(const char *tree, const char *path, const char *text, struct errinfo *err)
{
        const char *at = path, *slash;
        int fd = open(tree, FOLDER);
        int r = fd < 0 ? -errno : 0;
        while (r == 0 && (slash = strchr(at, '/')) != NULL) {
                _cleanup_(freep) char *name = xstrndup(at, (size_t)(slash - at));
                fd = enter(fd, name);
                r = fd < 0 ? fd : 0;
                at = slash + 1;
        }
        if (r == 0) {
                r = put(fd, at, text);
                (void)close(fd);
        }
        if (r < 0)
                err_set(err, "", "%s cannot be written: %s", path, log_errno_text(r));
        return r;
}
