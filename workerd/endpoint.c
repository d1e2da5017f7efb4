/* endpoint.c - see endpoint.h. */
#include "workerd/endpoint.h"

#include <stddef.h>
#include <string.h>

#include "common/gitea.h"
#include "common/json_read.h"
#include "common/mem.h"
#include "common/notifier.h"
#include "common/plane.h"

int endpoint_read(struct endpoint *ret, const struct json *v, struct errinfo *err)
{
        static const struct {
                const char *key, *kind; /* NULL: all of them */
                size_t offset;
        } texts[] = {
                {"kind", NULL, offsetof(struct endpoint, kind)},
                {"url", NULL, offsetof(struct endpoint, url)},
                {"token_file", NULL, offsetof(struct endpoint, token_file)},
                {"workspace", "plane", offsetof(struct endpoint, workspace)},
                {"segment", "plane", offsetof(struct endpoint, segment)},
                {"project", "plane", offsetof(struct endpoint, project)},
                {"repo", "gitea", offsetof(struct endpoint, repo)},
        };
        *ret = (struct endpoint){.kind = NULL};
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                const char *value = json_str(json_get(v, texts[i].key));
                bool wanted = texts[i].kind == NULL || strcmp(texts[i].kind, ret->kind) == 0;
                if (value == NULL && wanted) {
                        err_set(err, "", "the endpoint has no \"%s\"", texts[i].key);
                        return -EINVAL;
                }
                memcpy((char *)ret + texts[i].offset, &value, sizeof(value));
        }
        (void)json_int(json_get(v, "thread"), &ret->thread);
        if (!json_int(json_get(v, "chat"), &ret->chat) && strcmp(ret->kind, "telegram") == 0) {
                err_set(err, "", "the endpoint has no \"chat\"");
                return -EINVAL;
        }
        return 0;
}

struct plane *endpoint_plane(const struct endpoint *e, struct http_client *http)
{
        const struct plane_config cfg = {.http = http,
                                         .url = e->url,
                                         .token_file = e->token_file,
                                         .workspace = e->workspace,
                                         .project = e->project,
                                         .segment = e->segment};
        return plane_new(&cfg);
}

struct gitea *endpoint_gitea(const struct endpoint *e, struct http_client *http)
{
        const struct gitea_config cfg = {
                .http = http, .url = e->url, .token_file = e->token_file, .repo = e->repo};
        return gitea_new(&cfg);
}

struct notifier *endpoint_notifier(const struct endpoint *e, struct http_client *http)
{
        const struct notifier_telegram_config cfg = {.http = http,
                                                     .url = e->url,
                                                     .token_file = e->token_file,
                                                     .chat = e->chat,
                                                     .thread = e->thread};
        return notifier_telegram_new(&cfg);
}
