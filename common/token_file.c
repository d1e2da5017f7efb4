/* token_file.c - reads the file of tokens.h, when nobody else can read or write it. */
#include "common/tokens.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/secret_file.h"

int tokens_load(const char *path, int64_t now_s, struct tokens **ret_tokens, struct errinfo *err)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        int r = fd < 0 ? negative_errno() : secret_file_check(fd, path, "tokens", err);
        if (fd < 0)
                err_set(err, "", "could not read tokens file %s: %s", path, log_errno_text(r));
        if (r < 0)
                return r;
        /* One allocation that is wiped: what grows leaves copies behind. */
        _cleanup_(freep) char *text = xmalloc(TOKENS_FILE_BYTES + 1);
        ssize_t n = secret_file_read(fd, text, TOKENS_FILE_BYTES + 1);
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
