/*
 * fuzz_signature.c - any secrets file and any header against any body: the input is cut at its first two
 * NULs. Only the one right signature passes, so a guess that passes is a bug.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "webhookd/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
        if (!holds)
                abort();
}

/* The signature by the first secret of the file, as a sender makes it. */
static void sign(const char *keys, const uint8_t *body, size_t len, char hex[static SIGNATURE_HEX_BYTES + 1])
{
        unsigned char mac[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        must(HMAC(EVP_sha256(), keys, (int)strcspn(keys, "\n"), body, len, mac, &n) != NULL);
        for (unsigned i = 0; i < n; i++)
                (void)snprintf(hex + (size_t)2 * i, 3, "%02x", mac[i]);
}

static void check(const struct signature_keys *keys, const char *text, const char *header,
                  const uint8_t *body, size_t len)
{
        char right[SIGNATURE_HEX_BYTES + 1] = "";
        sign(text, body, len, right);
        must(signature_check(keys, 1, right, body, len) == SIGNATURE_OK);
        must(signature_check(keys, 2, right, body, len) == SIGNATURE_FORMAT);
        must(signature_check(keys, 0, NULL, body, len) == SIGNATURE_MISSING);
        enum signature_verdict v = signature_check(keys, 1, header, body, len);
        must(v != SIGNATURE_OK || signature_keys_count(keys) == 2 || strcmp(header, right) == 0);
        must(v != SIGNATURE_WRONG || strspn(header, "0123456789abcdef") == SIGNATURE_HEX_BYTES);
        right[0] = right[0] == '0' ? '1' : '0';
        must(signature_check(keys, 1, right, body, len) == SIGNATURE_WRONG);
}

/* Cuts a terminated copy off the input, up to and with a NUL. */
static char *cut(const uint8_t **data, size_t *size)
{
        const uint8_t *nul = memchr(*data, '\0', *size);
        size_t n = nul != NULL ? (size_t)(nul - *data) : *size;
        char *s = malloc(n + 1);
        must(s != NULL);
        memcpy(s, *data, n);
        s[n] = '\0';
        *data += n + (nul != NULL);
        *size -= n + (nul != NULL);
        return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct signature_keys *keys = NULL;
        struct errinfo err = ERRINFO_INIT;
        if (size == 0)
                return 0;
        char *text = cut(&data, &size);
        char *header = cut(&data, &size);
        if (signature_keys_parse("fuzz", text, strlen(text), &keys, &err) == 0)
                check(keys, text, header, data, size);
        else
                must(keys == NULL && err.text[0] != '\0');
        signature_keys_free(keys);
        free(header);
        free(text);
        return 0;
}
