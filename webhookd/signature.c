/* signature.c - see signature.h. */
#include "webhookd/signature.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/secret_file.h"

enum { MAC_BYTES = 32 };

/* Two longest secrets with their line ends, and one byte more, so that a longer file is noticed. */
enum { FILE_BYTES_MAX = SIGNATURE_KEYS_MAX * (SIGNATURE_SECRET_BYTES_MAX + 1) + 1 };

struct signature_keys {
        size_t n;
        struct {
                size_t len;
                unsigned char secret[SIGNATURE_SECRET_BYTES_MAX];
        } keys[SIGNATURE_KEYS_MAX];
};

void signature_keys_free(struct signature_keys *keys)
{
        if (keys == NULL)
                return;
        OPENSSL_cleanse(keys, sizeof(*keys));
        free(keys);
}

static void signature_keys_freep(struct signature_keys **keys)
{
        signature_keys_free(*keys);
}

size_t signature_keys_count(const struct signature_keys *keys)
{
        return keys->n;
}

/* A blank or a control byte is what an editor or a shell left behind, never what the sender was given. */
static bool is_secret_byte(unsigned char c)
{
        return c > ' ' && c != 0x7f;
}

static int add_line(struct signature_keys *keys, const char *name, const char *line, size_t len,
                    struct errinfo *err)
{
        size_t number = keys->n + 1;
        if (keys->n == SIGNATURE_KEYS_MAX) {
                err_set(err, "", "secrets file %s has more than %d lines", name, SIGNATURE_KEYS_MAX);
                return -EINVAL;
        }
        if (len < SIGNATURE_SECRET_BYTES_MIN || len > SIGNATURE_SECRET_BYTES_MAX) {
                err_set(err, "", "secret in line %zu of %s has %zu bytes; it must have %d to %d", number,
                        name, len, SIGNATURE_SECRET_BYTES_MIN, SIGNATURE_SECRET_BYTES_MAX);
                return -EINVAL;
        }
        for (size_t i = 0; i < len; i++) {
                if (!is_secret_byte((unsigned char)line[i])) {
                        err_set(err, "",
                                "secret in line %zu of %s holds a blank or a control byte at column %zu",
                                number, name, i + 1);
                        return -EINVAL;
                }
        }
        memcpy(keys->keys[keys->n].secret, line, len);
        keys->keys[keys->n++].len = len;
        return 0;
}

int signature_keys_parse(const char *name, const char *text, size_t len, struct signature_keys **ret_keys,
                         struct errinfo *err)
{
        _cleanup_(signature_keys_freep) struct signature_keys *keys = xcalloc(1, sizeof(*keys));
        const char *end = text + len;
        while (text < end) {
                const char *lf = memchr(text, '\n', (size_t)(end - text));
                const char *line_end = lf != NULL ? lf : end;
                int r = add_line(keys, name, text, (size_t)(line_end - text), err);
                if (r < 0)
                        return r;
                text = lf != NULL ? lf + 1 : end;
        }
        if (keys->n == 0) {
                err_set(err, "", "secrets file %s is empty", name);
                return -EINVAL;
        }
        *ret_keys = take_ptr(keys);
        return 0;
}

int signature_keys_load(const char *path, struct signature_keys **ret_keys, struct errinfo *err)
{
        /* On the stack, not in a strbuf: what grows by realloc leaves copies that nobody wipes. */
        char buf[FILE_BYTES_MAX];
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        ssize_t n = fd >= 0 ? secret_file_read(fd, buf, sizeof(buf)) : negative_errno();
        int r;
        if (n < 0) {
                err_set(err, "", "could not read secrets file %s: %s", path, log_errno_text((int)n));
                r = (int)n;
        } else if (n == FILE_BYTES_MAX) {
                err_set(err, "", "secrets file %s is too long: %d lines of at most %d bytes are taken", path,
                        SIGNATURE_KEYS_MAX, SIGNATURE_SECRET_BYTES_MAX);
                r = -EINVAL;
        } else {
                r = signature_keys_parse(path, buf, (size_t)n, ret_keys, err);
        }
        OPENSSL_cleanse(buf, sizeof(buf));
        return r;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -1;
}

static bool decode_mac(const char *hex, unsigned char mac[static MAC_BYTES])
{
        if (strlen(hex) != SIGNATURE_HEX_BYTES)
                return false;
        for (size_t i = 0; i < MAC_BYTES; i++) {
                int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                mac[i] = (unsigned char)(high << 4 | low);
        }
        return true;
}

/* Every secret is tried, also after a match: the time taken says nothing about which one it was. */
static bool mac_matches(const struct signature_keys *keys, const unsigned char *given, const void *body,
                        size_t len)
{
        int matches = 0;
        for (size_t i = 0; i < keys->n; i++) {
                unsigned char mac[EVP_MAX_MD_SIZE];
                unsigned mac_len = 0;
                if (HMAC(EVP_sha256(), keys->keys[i].secret, (int)keys->keys[i].len, body, len, mac,
                         &mac_len) == NULL)
                        continue; /* out of memory inside libcrypto: not verified */
                matches |= CRYPTO_memcmp(mac, given, MAC_BYTES) == 0;
        }
        return matches != 0;
}

enum signature_verdict signature_check(const struct signature_keys *keys, unsigned instances,
                                       const char *value, const void *body, size_t body_len)
{
        unsigned char given[MAC_BYTES];
        if (instances == 0 || (instances == 1 && value[0] == '\0'))
                return SIGNATURE_MISSING;
        if (instances > 1 || !decode_mac(value, given))
                return SIGNATURE_FORMAT;
        return mac_matches(keys, given, body, body_len) ? SIGNATURE_OK : SIGNATURE_WRONG;
}
