/*
 * signature.h - is this body from somebody who holds one of the active secrets? HMAC-SHA256 over the raw
 * body, compared in constant time with each secret, before anything looks at the body.
 *
 * Secrets come from a file of one or two lines (two while a secret is being changed) and live only in memory
 * that is wiped when it is freed. A signature is exactly 64 lower-case hexadecimal digits, as both senders
 * write it; any other spelling, a prefix or a second instance of the header is refused, so that one signature
 * has one form.
 */
#pragma once

#include <stddef.h>

#include "common/err.h"

struct signature_keys;

#define SIGNATURE_KEYS_MAX         2
#define SIGNATURE_SECRET_BYTES_MIN 16
#define SIGNATURE_SECRET_BYTES_MAX 256
#define SIGNATURE_HEX_BYTES        64

/* Reads the secrets of one source. 0; -EINVAL or the -errno of reading, with a reason in `err` that names the
 * file and the line and never a secret. */
int signature_keys_load(const char *path, struct signature_keys **ret_keys, struct errinfo *err);
/* The same from memory; `name` is what the reason calls it. */
int signature_keys_parse(const char *name, const char *text, size_t len, struct signature_keys **ret_keys,
                         struct errinfo *err);
void signature_keys_free(struct signature_keys *keys); /* wipes; NULL is fine */
size_t signature_keys_count(const struct signature_keys *keys);

enum signature_verdict {
        SIGNATURE_OK = 0,
        SIGNATURE_MISSING, /* no header, or an empty one: the sender has no secret */
        SIGNATURE_FORMAT,  /* more than one header, or not 64 lower-case digits */
        SIGNATURE_WRONG,
};

/* `instances` is how often the request has the header, `value` its first value. */
enum signature_verdict signature_check(const struct signature_keys *keys, unsigned instances,
                                       const char *value, const void *body, size_t body_len);
