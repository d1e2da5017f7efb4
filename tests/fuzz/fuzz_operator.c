/*
 * fuzz_operator.c - the operator port's own foreign bytes: any file of tokens, any header Authorization, any
 * query and any body; the input is cut at its first three NULs. Only a token of the file that has not expired
 * passes; what is taken of query and body is two JSON objects without a common name.
 */
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/tokens.h"
#include "operatord/arguments.h"

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
        if (!holds)
                abort();
}

/* Cuts a terminated copy off the input, up to and with a NUL. */
static char *cut(const uint8_t **data, size_t *size)
{
        const uint8_t *nul = *size > 0 ? memchr(*data, '\0', *size) : NULL;
        size_t n = nul != NULL ? (size_t)(nul - *data) : *size;
        char *s = xstrndup(n > 0 ? (const char *)*data : "", n);
        *data += n + (nul != NULL);
        *size -= n + (nul != NULL);
        return s;
}

/* The hash of what is behind the last blank of the header: what a token that passes must have. */
static void check_hash(const struct token *t, const char *header)
{
        unsigned char hash[TOKEN_HASH_BYTES];
        const char *token = strrchr(header, ' ');
        must(token != NULL);
        must(EVP_Digest(token + 1, strlen(token + 1), hash, NULL, EVP_sha256(), NULL) == 1);
        must(memcmp(hash, t->hash, sizeof(hash)) == 0);
}

static void check_tokens(const char *file, const char *header)
{
        struct tokens *tokens = NULL;
        struct errinfo err = ERRINFO_INIT;
        const struct token *found = NULL;
        if (tokens_parse("fuzz", file, strlen(file), NOW, &tokens, &err) < 0) {
                must(tokens == NULL && err.text[0] != '\0');
                return;
        }
        must(tokens_count(tokens) > 0 && tokens_good(tokens, NOW) <= tokens_count(tokens));
        must(tokens_check(tokens, 0, NULL, NOW, &found) == TOKEN_MISSING);
        must(tokens_check(tokens, 2, header, NOW, &found) == TOKEN_FORMAT);
        if (tokens_check(tokens, 1, header, NOW, &found) == TOKEN_OK) {
                must(found->expires_s > NOW && token_name_ok(found->name, strlen(found->name)));
                check_hash(found, header);
        } else {
                must(found == NULL);
        }
        tokens_free(tokens);
}

static struct json_doc *parse(const struct strbuf *text)
{
        static const struct json_limits limits = JSON_LIMITS_DEFAULT;
        struct json_doc *doc = NULL;
        must(json_parse(text->buf, text->len, &limits, &doc, NULL) == 0);
        must(json_type(json_root(doc)) == JSON_OBJECT);
        return doc;
}

static void check_arguments(const char *query, const char *body, size_t len)
{
        struct arguments args = ARGUMENTS_INIT;
        struct errinfo err = ERRINFO_INIT;
        if (arguments_read(query, body, len, &args, &err) == 0) {
                struct json_doc *q = parse(&args.query), *b = parse(&args.body);
                for (size_t i = 0; i < json_len(json_root(q)); i++)
                        must(json_get(json_root(b), json_key_at(json_root(q), i)) == NULL);
                json_doc_free(q);
                json_doc_free(b);
        } else {
                must(err.text[0] != '\0');
        }
        arguments_deinit(&args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        _cleanup_(freep) char *file = cut(&data, &size), *header = cut(&data, &size),
                              *query = cut(&data, &size);
        check_tokens(file, header);
        check_arguments(query, size > 0 ? (const char *)data : "", size);
        return 0;
}
