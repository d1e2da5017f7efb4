/*
 * tokens.h - who may come to the operator port: the file of bearer tokens, and the check of a request's
 * header.
 *
 * The file has a line for each token: NAME SCOPE SECRET [expires=TIME]. SECRET is the SHA-256 of the token in
 * 64 lower-case hexadecimal digits, as `orchctl token new` writes it, or the token itself; only the hash is
 * kept. TIME is 2027-01-31 or 2027-01-31T12:00:00Z. Blank lines and lines that begin with # say nothing. A
 * name may have two tokens that are good, while one replaces the other. The file must be ours or root's, and
 * nobody else may read or write it.
 *
 * A reason never holds a token or a part of one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define TOKENS_MAX        256
#define TOKENS_PER_NAME   2
#define TOKENS_FILE_BYTES 65536
#define TOKEN_NAME_BYTES  64
#define TOKEN_HASH_BYTES  32
#define TOKEN_BYTES_MIN   32 /* nobody guesses that many */
#define TOKEN_BYTES_MAX   256
#define TOKEN_MADE_BYTES  48 /* what token_make() makes: "orch_" and 43 of base64 */
#define TOKEN_NEVER       INT64_MAX

struct strbuf;

enum token_scope { TOKEN_READ, TOKEN_OPERATOR };

struct token {
        char name[TOKEN_NAME_BYTES + 1];
        enum token_scope scope;
        int64_t expires_s; /* seconds since 1970, or TOKEN_NEVER */
        unsigned char hash[TOKEN_HASH_BYTES];
};

struct tokens;

const char *token_scope_name(enum token_scope scope);
bool token_scope_parse(const char *text, size_t len, enum token_scope *ret);
bool token_name_ok(const char *text, size_t len);

/* 0; -EINVAL or the -errno of reading, with a reason in `err` that names the file and the line. */
int tokens_load(const char *path, int64_t now_s, struct tokens **ret_tokens, struct errinfo *err);
/* The same from memory; `file` is what the reason calls it. */
int tokens_parse(const char *file, const char *text, size_t len, int64_t now_s, struct tokens **ret_tokens,
                 struct errinfo *err);
void tokens_free(struct tokens *tokens);                        /* NULL is fine */
size_t tokens_good(const struct tokens *tokens, int64_t now_s); /* how many have not expired */
size_t tokens_count(const struct tokens *tokens);
const struct token *tokens_at(const struct tokens *tokens, size_t i);
/* A new token that nobody guesses, terminated. 0 or -errno. */
int token_make(char token[static TOKEN_MADE_BYTES + 1]);
/* Its line for the file, with the hash; `expires` is NULL for none. */
void token_line(const char *name, const char *scope, const char *token, const char *expires,
                struct strbuf *sb);

enum token_verdict {
        TOKEN_OK = 0,
        TOKEN_MISSING, /* no header Authorization, or one of another kind */
        TOKEN_FORMAT,  /* more than one, or what follows "Bearer" is no token */
        TOKEN_UNKNOWN,
        TOKEN_EXPIRED,
};
const char *token_verdict_name(enum token_verdict verdict);

/* `instances` is how often the request has the header Authorization, `value` its first value. *ret_token is
 * set when it is OK, borrowed. How long it takes does not depend on which token comes close. */
enum token_verdict tokens_check(const struct tokens *tokens, unsigned instances, const char *value,
                                int64_t now_s, const struct token **ret_token);
