/* token_file.c - reads the file of tokens.h, when nobody else can read or write it. */
#include "common/tokens.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

/* 0 or -errno; -EPERM and -EINVAL have their own reason in `err`. */
static int check_file(int fd, const char *path, struct errinfo *err)
{
        struct stat st;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode)) {
                err_set(err, "", "tokens file %s is not a file", path);
                return -EINVAL;
        }
        if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
                err_set(err, "", "others may read or write tokens file %s (mode %03o): chmod 600 it", path,
                        (unsigned)st.st_mode & 0777u);
                return -EPERM;
        }
        if (st.st_uid != geteuid() && st.st_uid != 0) {
                err_set(err, "", "tokens file %s belongs to another user (%u)", path, (unsigned)st.st_uid);
                return -EPERM;
        }
        return 0;
}

/* Bytes read, at most `size`, or -errno. */
static ssize_t read_up_to(int fd, char *buf, size_t size)
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

int tokens_load(const char *path, int64_t now_s, struct tokens **ret_tokens, struct errinfo *err)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        err_set(err, "", "%s", "");
        int r = fd < 0 ? negative_errno() : check_file(fd, path, err);
        if (r < 0) {
                if (err->text[0] == '\0')
                        err_set(err, "", "could not read tokens file %s: %s", path, log_errno_text(r));
                return r;
        }
        /* One allocation that is wiped: what grows leaves copies behind. */
        _cleanup_(freep) char *text = xmalloc(TOKENS_FILE_BYTES + 1);
        ssize_t n = read_up_to(fd, text, TOKENS_FILE_BYTES + 1);
        if (n < 0)
                err_set(err, "", "could not read tokens file %s: %s", path, log_errno_text((int)n));
        else if (n > TOKENS_FILE_BYTES)
                err_set(err, "", "tokens file %s is longer than %d bytes", path, TOKENS_FILE_BYTES);
        if (n < 0 || n > TOKENS_FILE_BYTES)
                r = n < 0 ? (int)n : -EFBIG;
        else
                r = tokens_parse(path, text, (size_t)n, now_s, ret_tokens, err);
        OPENSSL_cleanse(text, TOKENS_FILE_BYTES + 1);
        return r;
}
