/* secret_file.c - see secret_file.h. */
#include "common/secret_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

int secret_file_check(int fd, const char *path, const char *what, struct errinfo *err)
{
        struct stat st;
        if (fstat(fd, &st) < 0) {
                int r = negative_errno();
                err_set(err, "", "could not look at %s file %s: %s", what, path, log_errno_text(r));
                return r;
        }
        if (!S_ISREG(st.st_mode)) {
                err_set(err, "", "%s file %s is not a file", what, path);
                return -EINVAL;
        }
        if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
                err_set(err, "", "others may read or write %s file %s (mode %03o): chmod 600 it", what, path,
                        (unsigned)st.st_mode & 0777u);
                return -EPERM;
        }
        if (st.st_uid != geteuid() && st.st_uid != 0) {
                err_set(err, "", "%s file %s belongs to another user (%u)", what, path, (unsigned)st.st_uid);
                return -EPERM;
        }
        return 0;
}

ssize_t secret_file_read(int fd, char *buf, size_t size)
{
        size_t n = 0;
        while (n < size) {
                ssize_t r = read(fd, buf + n, size - n);
                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -errno;
                if (r == 0)
                        break;
                n += (size_t)r;
        }
        return (ssize_t)n;
}

/* Cuts to the first line without blanks around it; NULL when that is no secret. */
static char *first_line(char *text)
{
        char *line = text + strspn(text, " \t");
        size_t len = strcspn(line, "\r\n");
        while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
                len--;
        line[len] = '\0';
        for (const char *c = line; *c != '\0'; c++)
                if (*c <= ' ' || *c > '~')
                        return NULL;
        return len > 0 && len <= SECRET_LINE_BYTES_MAX ? line : NULL;
}

int secret_file_line(const char *path, const char *what, char **ret_line, struct errinfo *err)
{
        /* On the stack: what grows by realloc leaves copies that nobody wipes. */
        char text[SECRET_LINE_BYTES_MAX + 64];
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                int r = negative_errno();
                err_set(err, "", "could not open %s file %s: %s", what, path, log_errno_text(r));
                return r;
        }
        int r = secret_file_check(fd, path, what, err);
        if (r < 0)
                return r;
        ssize_t n = secret_file_read(fd, text, sizeof(text) - 1);
        if (n < 0) {
                r = (int)n;
                err_set(err, "", "could not read %s file %s: %s", what, path, log_errno_text(r));
                return r;
        }
        text[n] = '\0';
        const char *line = first_line(text);
        if (line != NULL)
                *ret_line = xstrdup(line);
        else
                err_set(err, "", "%s file %s does not begin with a %s: one line, of at most %d characters",
                        what, path, what, SECRET_LINE_BYTES_MAX);
        OPENSSL_cleanse(text, sizeof(text));
        return line != NULL ? 0 : -EILSEQ;
}
