/* route.c - what the routers share: header look-up, facts, bounds. Knows no sender's format. */
#include "workerd/route.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"

void route_deinit(struct route *r)
{
        free(r->key);
        free(r->kind);
        free(r->project);
        free(r->object);
        strbuf_deinit(&r->facts);
        *r = (struct route)ROUTE_INIT;
}

const char *route_header(const struct json *headers, const char *name)
{
        for (size_t i = 0; i < json_len(headers); i++) {
                const char *key = json_key_at(headers, i);
                if (key != NULL && strcasecmp(key, name) == 0)
                        return json_str(json_at(headers, i));
        }
        return NULL;
}

struct json_out *route_facts_new(void)
{
        struct json_out *facts = json_out_new(false);
        json_out_object(facts);
        return facts;
}

void route_fact(struct json_out *facts, const char *name, const char *value)
{
        if (value != NULL && strlen(value) <= ROUTE_NAME_MAX)
                json_out_kstr(facts, name, value);
}

void route_fact_int(struct json_out *facts, const char *name, const struct json *value)
{
        int64_t n = 0;
        if (json_int(value, &n))
                json_out_kint(facts, name, n);
}

void route_fact_bool(struct json_out *facts, const char *name, const struct json *value)
{
        bool b = false;
        if (json_bool(value, &b))
                json_out_kbool(facts, name, b);
}

static bool name_fits(const char *name)
{
        return name == NULL || strlen(name) <= ROUTE_NAME_MAX;
}

int route_set(struct route *ret, const char *source, const char *kind, const char *project,
              const char *object, struct json_out *facts, struct errinfo *err)
{
        struct strbuf text = STRBUF_INIT;
        if (facts == NULL)
                facts = route_facts_new();
        json_out_object_end(facts);
        json_out_finish(facts, &text);
        json_out_free(facts);
        if (!name_fits(project) || !name_fits(object)) {
                err_set(err, "", "the %s is longer than %d bytes", name_fits(project) ? "object" : "project",
                        ROUTE_NAME_MAX);
                strbuf_deinit(&text);
                return ROUTE_MALFORMED;
        }
        route_deinit(ret);
        ret->kind = xstrdup(kind);
        ret->project = xstrdup(project);
        ret->object = object != NULL ? xstrdup(object) : NULL;
        ret->key = object != NULL ? xasprintf("%s:%s:%s", source, project, object)
                                  : xasprintf("%s:%s", source, project);
        ret->facts = text;
        return ROUTE_OK;
}

int route_ignored(struct route *ret, const char *source, const char *project)
{
        return route_set(ret, source, "ignored", project != NULL && name_fits(project) ? project : "", NULL,
                         NULL, NULL);
}

int route_event(const char *source, const struct json *headers, const struct json *body, struct route *ret,
                struct errinfo *err)
{
        static const struct {
                const char *source;
                route_fn *fn;
        } routers[] = {{"gitea", route_gitea}, {"plane", route_plane}, {"local", route_local}};

        for (size_t i = 0; i < ARRAY_SIZE(routers); i++) {
                if (strcmp(source, routers[i].source) != 0)
                        continue;
                if (body == NULL || json_type(body) != JSON_OBJECT) {
                        err_set(err, "", "the body is not a JSON object");
                        return ROUTE_MALFORMED;
                }
                return routers[i].fn(headers, body, ret, err);
        }
        return route_ignored(ret, "unknown", NULL);
}
