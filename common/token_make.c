/* token_make.c - makes the tokens of tokens.h, and their lines. */
#include "common/tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/mem.h"
#include "common/strbuf.h"

#define PREFIX       "orch_" /* so that scanners for secrets, and people, know one when they see it */
#define RANDOM_BYTES 32

_Static_assert(sizeof(PREFIX) - 1 + (RANDOM_BYTES * 4 + 2) / 3 == TOKEN_MADE_BYTES, "base64 without padding");

int token_make(char token[static TOKEN_MADE_BYTES + 1])
{
        unsigned char random[RANDOM_BYTES];
        unsigned char text[(RANDOM_BYTES + 2) / 3 * 4 + 1];
        ssize_t n = getrandom(random, sizeof(random), 0);
        if (n != (ssize_t)sizeof(random))
                return n < 0 ? -errno : -EIO; /* never short for so few bytes */
        (void)EVP_EncodeBlock(text, random, sizeof(random));
        for (unsigned char *c = text; *c != '\0'; c++) /* base64url: what may stand in any file and command */
                *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        size_t prefix = strlen(PREFIX);
        memcpy(token, PREFIX, prefix);
        memcpy(token + prefix, text, TOKEN_MADE_BYTES - prefix);
        token[TOKEN_MADE_BYTES] = '\0';
        OPENSSL_cleanse(random, sizeof(random));
        OPENSSL_cleanse(text, sizeof(text));
        return 0;
}

void token_line(const char *name, const char *scope, const char *token, const char *expires,
                struct strbuf *sb)
{
        unsigned char hash[TOKEN_HASH_BYTES];
        strbuf_addf(sb, "%s %s ", name, scope);
        if (EVP_Digest(token, strlen(token), hash, NULL, EVP_sha256(), NULL) != 1)
                abort(); /* out of memory, as everywhere */
        for (size_t i = 0; i < sizeof(hash); i++)
                strbuf_addf(sb, "%02x", hash[i]);
        if (expires != NULL)
                strbuf_addf(sb, " expires=%s", expires);
}
