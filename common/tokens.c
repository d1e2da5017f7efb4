/* tokens.c - see tokens.h. */
#include "common/tokens.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/token_time.h"

struct tokens {
        size_t n;
        struct token list[TOKENS_MAX];
};

/* A word of the file, or of a header; not terminated. */
struct word {
        const char *at;
        size_t len;
};

struct reader {
        const char *file;
        size_t line;
        int64_t now_s;
        struct tokens *tokens;
        struct errinfo *err;
};

static const char *const scope_names[] = {[TOKEN_READ] = "read", [TOKEN_OPERATOR] = "operator"};

const char *token_scope_name(enum token_scope scope)
{
        return scope_names[scope];
}

const char *token_verdict_name(enum token_verdict verdict)
{
        static const char *const names[] = {"ok", "missing", "format", "unknown", "expired"};
        return names[verdict];
}

void tokens_free(struct tokens *tokens)
{
        if (tokens == NULL)
                return;
        OPENSSL_cleanse(tokens, sizeof(*tokens));
        free(tokens);
}

size_t tokens_count(const struct tokens *tokens)
{
        return tokens->n;
}

const struct token *tokens_at(const struct tokens *tokens, size_t i)
{
        return &tokens->list[i];
}

static bool is_good(const struct token *t, int64_t now_s)
{
        return now_s < t->expires_s;
}

size_t tokens_good(const struct tokens *tokens, int64_t now_s)
{
        size_t n = 0;
        for (size_t i = 0; i < tokens->n; i++)
                n += is_good(&tokens->list[i], now_s);
        return n;
}

/* --- the file --- */

static int refuse(const struct reader *r, const char *why)
{
        err_set(r->err, "", "tokens file %s, line %zu: %s", r->file, r->line, why);
        return -EINVAL;
}

static bool is_name_byte(unsigned char c)
{
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (c != '\0' && strchr("._@-", c) != NULL);
}

bool token_name_ok(const char *text, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (!is_name_byte((unsigned char)text[i]))
                        return false;
        return len > 0 && len <= TOKEN_NAME_BYTES;
}

/* token68 of RFC 9110: what may follow "Bearer". */
static bool is_token(struct word w)
{
        size_t n = 0;
        while (n < w.len &&
               (is_name_byte((unsigned char)w.at[n]) ? w.at[n] != '@' : strchr("~+/", w.at[n]) != NULL))
                n++;
        size_t body = n;
        while (n < w.len && w.at[n] == '=')
                n++;
        return body > 0 && n == w.len && w.len >= TOKEN_BYTES_MIN && w.len <= TOKEN_BYTES_MAX;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode_hash(struct word w, unsigned char hash[static TOKEN_HASH_BYTES])
{
        for (size_t i = 0; w.len == (size_t)2 * TOKEN_HASH_BYTES && i < TOKEN_HASH_BYTES; i++) {
                int high = hex_digit(w.at[2 * i]), low = hex_digit(w.at[2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                hash[i] = (unsigned char)(high << 4 | low);
        }
        return w.len == (size_t)2 * TOKEN_HASH_BYTES;
}

static bool make_hash(struct word w, unsigned char hash[static TOKEN_HASH_BYTES])
{
        return EVP_Digest(w.at, w.len, hash, NULL, EVP_sha256(), NULL) == 1;
}

bool token_scope_parse(const char *text, size_t len, enum token_scope *ret)
{
        for (size_t i = 0; i < ARRAY_SIZE(scope_names); i++)
                if (strlen(scope_names[i]) == len && memcmp(scope_names[i], text, len) == 0) {
                        *ret = (enum token_scope)i;
                        return true;
                }
        return false;
}

static int read_secret(const struct reader *r, struct word w, unsigned char hash[static TOKEN_HASH_BYTES])
{
        if (decode_hash(w, hash))
                return 0;
        if (!is_token(w))
                return refuse(
                        r, "the third word must be the SHA-256 of a token, or a token of 32 to 256 letters, "
                           "digits and - . _ ~ + /; orchctl token new makes one");
        return make_hash(w, hash) ? 0 : refuse(r, "the token cannot be hashed");
}

static int read_expiry(const struct reader *r, struct word w, int64_t *ret_s)
{
        static const char key[] = "expires=";
        size_t n = sizeof(key) - 1;
        if (w.len == 0)
                return 0;
        if (w.len <= n || memcmp(w.at, key, n) != 0 || token_time_parse(w.at + n, w.len - n, ret_s) < 0)
                return refuse(r,
                              "the fourth word must be expires=2027-01-31 or expires=2027-01-31T12:00:00Z");
        return 0;
}

/* Takes the next word off the line; empty at its end. */
static struct word next_word(struct word *line)
{
        while (line->len > 0 && (*line->at == ' ' || *line->at == '\t')) {
                line->at++;
                line->len--;
        }
        struct word w = {.at = line->at};
        while (w.len < line->len && w.at[w.len] != ' ' && w.at[w.len] != '\t')
                w.len++;
        line->at += w.len;
        line->len -= w.len;
        return w;
}

static int check_against_others(const struct reader *r, const struct token *t)
{
        size_t same_name = 0;
        for (size_t i = 0; i < r->tokens->n; i++) {
                const struct token *other = &r->tokens->list[i];
                if (memcmp(other->hash, t->hash, TOKEN_HASH_BYTES) == 0)
                        return refuse(r, "the token is that of an earlier line");
                same_name += strcmp(other->name, t->name) == 0 && is_good(other, r->now_s);
        }
        if (is_good(t, r->now_s) && same_name == TOKENS_PER_NAME)
                return refuse(r, "the name has two good tokens already: take the oldest away");
        return r->tokens->n == TOKENS_MAX ? refuse(r, "there are too many tokens: 256 are taken") : 0;
}

static int read_line(const struct reader *r, struct word line)
{
        struct token t = {.expires_s = TOKEN_NEVER};
        struct word name = next_word(&line);
        if (name.len == 0 || name.at[0] == '#')
                return 0;
        if (!token_name_ok(name.at, name.len))
                return refuse(r, "the first word must be a name of at most 64 letters, digits and . _ @ -");
        memcpy(t.name, name.at, name.len);
        struct word scope = next_word(&line);
        if (!token_scope_parse(scope.at, scope.len, &t.scope))
                return refuse(r, "the second word must be the scope: read or operator");
        int rc = read_secret(r, next_word(&line), t.hash);
        if (rc == 0)
                rc = read_expiry(r, next_word(&line), &t.expires_s);
        if (rc == 0 && next_word(&line).len > 0)
                rc = refuse(r, "there is a fifth word");
        if (rc == 0)
                rc = check_against_others(r, &t);
        if (rc == 0)
                r->tokens->list[r->tokens->n++] = t;
        return rc;
}

int tokens_parse(const char *file, const char *text, size_t len, int64_t now_s, struct tokens **ret_tokens,
                 struct errinfo *err)
{
        struct reader r = {.file = file, .now_s = now_s, .tokens = xcalloc(1, sizeof(*r.tokens)), .err = err};
        const char *end = text + len;
        int rc = 0;
        while (rc == 0 && text < end) {
                const char *lf = memchr(text, '\n', (size_t)(end - text));
                const char *line_end = lf != NULL ? lf : end;
                r.line++;
                rc = read_line(&r, (struct word){text, (size_t)(line_end - text)});
                text = lf != NULL ? lf + 1 : end;
        }
        if (rc == 0 && r.tokens->n == 0) {
                err_set(err, "", "tokens file %s has no token; orchctl token new makes one", file);
                rc = -EINVAL;
        }
        if (rc < 0)
                tokens_free(r.tokens);
        else
                *ret_tokens = r.tokens;
        return rc;
}

/* --- a request --- */

/* The word behind "Bearer ", or nothing. */
static struct word bearer(const char *value)
{
        static const char scheme[] = "bearer";
        size_t n = sizeof(scheme) - 1;
        if (strncasecmp(value, scheme, n) != 0 || value[n] != ' ')
                return (struct word){.at = NULL};
        value += n + strspn(value + n, " ");
        return (struct word){.at = value, .len = strlen(value)};
}

/* Each one is looked at, also after a match. */
static const struct token *find(const struct tokens *tokens,
                                const unsigned char hash[static TOKEN_HASH_BYTES])
{
        const struct token *found = NULL;
        for (size_t i = 0; i < tokens->n; i++)
                if (CRYPTO_memcmp(tokens->list[i].hash, hash, TOKEN_HASH_BYTES) == 0)
                        found = &tokens->list[i];
        return found;
}

enum token_verdict tokens_check(const struct tokens *tokens, unsigned instances, const char *value,
                                int64_t now_s, const struct token **ret_token)
{
        unsigned char hash[TOKEN_HASH_BYTES];
        if (instances == 0)
                return TOKEN_MISSING;
        struct word given = bearer(value);
        if (instances == 1 && given.at == NULL)
                return TOKEN_MISSING;
        if (instances > 1 || !is_token(given))
                return TOKEN_FORMAT;
        if (!make_hash(given, hash))
                return TOKEN_UNKNOWN; /* out of memory inside libcrypto: not verified */
        const struct token *found = find(tokens, hash);
        if (found == NULL)
                return TOKEN_UNKNOWN;
        if (!is_good(found, now_s))
                return TOKEN_EXPIRED;
        *ret_token = found;
        return TOKEN_OK;
}
