/* delivery_meta.c - see delivery_meta.h. */
#include "webhookd/delivery_meta.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "web/http_parse.h"

enum { ID_BYTES_MAX = 128, VALUE_BYTES_MAX = 256 };

static const char *const kept_headers[] = {
        "content-type",     "user-agent",         "x-gitea-delivery",
        "x-gitea-event",    "x-gitea-event-type", "x-gitea-hook-installation-target-type",
        "x-plane-delivery", "x-plane-event",
};

const char *delivery_id(enum route_target source, const struct http_parse *head)
{
        const char *name = source == ROUTE_GITEA ? "x-gitea-delivery" : "x-plane-delivery";
        const char *id;
        if (http_parse_field(head, name, &id) != 1)
                return NULL;
        size_t len = strlen(id);
        if (len == 0 || len > ID_BYTES_MAX)
                return NULL;
        for (size_t i = 0; i < len; i++) {
                if (id[i] <= ' ' || id[i] > '~')
                        return NULL;
        }
        return id;
}

static void add_sha256(struct strbuf *sb, const void *data, size_t len)
{
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        if (EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL) != 1)
                abort(); /* out of memory: a key that is not the body's would lose a delivery */
        for (unsigned i = 0; i < n; i++)
                strbuf_addf(sb, "%02x", digest[i]);
}

void delivery_dedup_key(enum route_target source, const struct http_parse *head, const struct strbuf *body,
                        struct strbuf *key)
{
        const char *id = source == ROUTE_GITEA ? delivery_id(source, head) : NULL;
        if (id != NULL)
                strbuf_addstr(key, id);
        else
                add_sha256(key, body->buf, body->len);
}

void delivery_headers(const struct http_parse *head, struct strbuf *json)
{
        struct json_out *j = json_out_new(false);
        json_out_object(j);
        for (size_t i = 0; i < ARRAY_SIZE(kept_headers); i++) {
                const char *value;
                if (http_parse_field(head, kept_headers[i], &value) == 0)
                        continue;
                _cleanup_(freep) char *bounded = xstrndup(value, VALUE_BYTES_MAX);
                json_out_kstr(j, kept_headers[i], bounded);
        }
        json_out_object_end(j);
        json_out_finish(j, json);
        json_out_free(j);
}
