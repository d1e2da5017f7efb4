/* routes.c - see routes.h. */
#include "web/routes.h"

#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "web/http_parse.h"
#include "web/http_reply.h"

#define READ (HTTP_METHOD_GET | HTTP_METHOD_HEAD)

static const struct route routes[] = {
        {ROUTE_PUBLIC, HTTP_METHOD_POST, "/webhook/gitea", ROUTE_GITEA},
        {ROUTE_PUBLIC, HTTP_METHOD_POST, "/webhook/plane", ROUTE_PLANE},
        {ROUTE_STATUS, READ, "/health", ROUTE_HEALTH},
        {ROUTE_STATUS, READ, "/livez", ROUTE_LIVEZ},
        {ROUTE_STATUS, READ, "/readyz", ROUTE_READYZ},
        {ROUTE_STATUS, READ, "/status", ROUTE_SUITE_STATUS},
        {ROUTE_STATUS, READ, "/queue", ROUTE_QUEUE},
        {ROUTE_STATUS, READ, "/metrics", ROUTE_METRICS},
        {ROUTE_OPERATOR, READ, "/health", ROUTE_HEALTH},
        {ROUTE_OPERATOR, READ, "/livez", ROUTE_LIVEZ},
        {ROUTE_OPERATOR, READ, "/readyz", ROUTE_READYZ},
        {ROUTE_OPERATOR, READ, "/status", ROUTE_SUITE_STATUS},
        {ROUTE_OPERATOR, READ, "/queue", ROUTE_QUEUE},
        {ROUTE_OPERATOR, READ, "/metrics", ROUTE_METRICS},
        {ROUTE_OPERATOR, READ, "/openapi.json", ROUTE_OPENAPI},
        {ROUTE_OPERATOR, READ | HTTP_METHOD_POST, NULL, ROUTE_ACT}, /* the list of acts says which methods */
};

static const struct route *find(const struct route_rules *rules, const char *path)
{
        for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
                const struct route *r = &routes[i];
                if (r->listener == rules->listener && (r->path == NULL || strcmp(r->path, path) == 0) &&
                    (rules->is_on == NULL || rules->is_on(rules->arg, r->target)))
                        return r;
        }
        return NULL;
}

/* "application/json", alone or followed by parameters. A charset parameter changes nothing: JSON is UTF-8. */
static bool is_json(const char *content_type)
{
        static const char json[] = "application/json";
        if (strncasecmp(content_type, json, sizeof(json) - 1) != 0)
                return false;
        const char *rest = content_type + sizeof(json) - 1;
        rest += strspn(rest, " \t");
        return *rest == '\0' || *rest == ';';
}

/* The signature is over the body as sent, and so is what is stored: a compressed one would be stored unread.
 */
static bool is_plain_json(const struct http_parse *head)
{
        const char *type;
        return http_parse_field(head, "content-type", &type) == 1 && is_json(type) &&
               http_parse_field(head, "content-encoding", NULL) == 0;
}

static int check_posted(const struct route_rules *rules, const struct route *route,
                        const struct http_parse *head)
{
        if (route->target == ROUTE_ACT && head->content_length <= 0)
                return 0; /* all that it wants to say may be in the query */
        if (head->content_length < 0)
                return 411;
        if (head->content_length > rules->max_body_bytes)
                return 413;
        return is_plain_json(head) ? 0 : 415;
}

static int check(const struct route_rules *rules, const struct route *route, const struct http_parse *head)
{
        if (route == NULL)
                return 404;
        if (route->target != ROUTE_ACT && (route->methods & head->method) == 0)
                return 405;
        if (head->method == HTTP_METHOD_POST)
                return check_posted(rules, route, head);
        return head->content_length > 0 ? 413 : 0;
}

const struct route *routes_match(const struct route_rules *rules, const struct http_parse *head,
                                 struct http_reply *ret_refusal)
{
        const struct route *route = find(rules, http_parse_path(head));
        int status = check(rules, route, head);
        if (status == 0)
                return route;
        *ret_refusal = (struct http_reply){.status = status};
        if (status == 405)
                ret_refusal->allow = route->methods == READ ? "GET, HEAD" : "POST";
        return NULL;
}
