/* git_remote.c - see git_remote.h. */
#include "common/git_remote.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_client.h"
#include "common/mem.h"
#include "common/secret_file.h"
#include "common/strbuf.h"

/* Of the Basic scheme, which is the one that Gitea takes tokens by for git; it looks at the password. */
#define USER "orchestrator:"

bool git_remote_is_away(const struct git_remote *remote)
{
        return remote != NULL &&
               (strncmp(remote->url, "https://", 8) == 0 || strncmp(remote->url, "http://", 7) == 0);
}

static void wipe(char *secret)
{
        OPENSSL_cleanse(secret, strlen(secret));
        free(secret);
}

static char *base64(const char *text)
{
        size_t len = strlen(text);
        char *out = xcalloc(1, 4 * ((len + 2) / 3) + 1);
        EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
        return out;
}

/* The server of an address: "https://HOST:PORT/". */
static size_t server_len(const char *url)
{
        const char *host = strstr(url, "://") + 3;
        return (size_t)(host - url) + strcspn(host, "/");
}

static void add_token(const char *url, const char *token, struct argv *env)
{
        char *pair = xasprintf(USER "%s", token);
        char *secret = base64(pair);
        char *header = xasprintf("Authorization: Basic %s", secret);
        _cleanup_(freep) char *key = xasprintf("http.%.*s/.extraHeader", (int)server_len(url), url);
        argv_env(env, "GIT_CONFIG_COUNT", "1");
        argv_env(env, "GIT_CONFIG_KEY_0", key);
        argv_env(env, "GIT_CONFIG_VALUE_0", header);
        wipe(pair);
        wipe(secret);
        wipe(header);
}

enum port_outcome git_remote_prepare(const struct git_remote *remote, const char *plain_hosts,
                                     struct argv *env, const char **ret_protocol, struct errinfo *err)
{
        bool plain;
        char *token;
        *ret_protocol = NULL;
        if (!git_remote_is_away(remote) || remote->token_file == NULL)
                return PORT_OK;
        if (http_url_check(remote->url, plain_hosts, &plain, err) < 0)
                return PORT_REFUSED;
        if (secret_file_line(remote->token_file, "token", &token, err) < 0)
                return PORT_DENIED;
        add_token(remote->url, token, env);
        wipe(token);
        *ret_protocol = plain ? "http" : "https";
        return PORT_OK;
}

/* The HTTP status that curl was told; 0: it tells of none. */
static int status_of(const char *text)
{
        static const char before[] = "returned error: ";
        const char *at = strstr(text, before);
        return at != NULL ? (int)strtol(at + strlen(before), NULL, 10) : 0;
}

/* Of a repository, whoever asks; git shows the words of the server. */
static bool is_read_only(const char *text)
{
        return strstr(text, "repo is archived") != NULL || strstr(text, "repository is read-only") != NULL;
}

static enum port_outcome status_said(int status, const char *text)
{
        if (status == 403)
                return is_read_only(text) ? PORT_REFUSED : PORT_FORBIDDEN;
        if (status == 401)
                return PORT_DENIED;
        if (status == 404 || status == 410)
                return PORT_NOT_FOUND;
        if (status == 429)
                return PORT_LIMITED;
        return status >= 500 || status == 408 ? PORT_UNAVAILABLE : PORT_REFUSED; /* a redirect, too */
}

enum port_outcome git_remote_said(const char *text)
{
        static const struct {
                const char *words;
                enum port_outcome said;
        } table[] = {
                {"Authentication failed for", PORT_DENIED},
                {"could not read Username for", PORT_DENIED}, /* it was asked for one: ours was not taken */
                {"could not read Password for", PORT_DENIED},
                {"couldn't find remote ref", PORT_NOT_FOUND},
                {"unable to access '", PORT_UNAVAILABLE}, /* no connection, no TLS, too slow */
                {"RPC failed", PORT_UNAVAILABLE},
                {"the remote end hung up", PORT_UNAVAILABLE},
                {"unexpected disconnect", PORT_UNAVAILABLE},
                {"early EOF", PORT_UNAVAILABLE},
                {"not valid: is this a git repository?", PORT_UNAVAILABLE}, /* it answers something else */
                {"invalid server response", PORT_UNAVAILABLE},
                {"protocol error", PORT_UNAVAILABLE},
        };
        int status = status_of(text);
        if (status != 0)
                return status_said(status, text);
        if (strstr(text, "repository '") != NULL && strstr(text, "' not found") != NULL)
                return PORT_NOT_FOUND;
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (strstr(text, table[i].words) != NULL)
                        return table[i].said;
        return PORT_OK;
}
