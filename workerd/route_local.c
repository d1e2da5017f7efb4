/*
 * route_local.c - events of our own making, from the local tracker: {"kind", "project", "object", "facts"?}.
 *
 * They come from SQL functions and are already in the inbox's words; here they are checked as strictly as a
 * stranger's.
 */
#include "workerd/route.h"

#include "common/json_read.h"
#include "common/json_write.h"

static void copy_fact(struct json_out *facts, const char *key, const struct json *value)
{
        int64_t n = 0;
        bool b = false;
        if (json_str(value) != NULL)
                json_out_kstr(facts, key, json_str(value)); /* a person's comment is kept whole */
        else if (json_int(value, &n))
                json_out_kint(facts, key, n);
        else if (json_bool(value, &b))
                json_out_kbool(facts, key, b);
}

int route_local(const struct json *headers, const struct json *body, struct route *ret, struct errinfo *err)
{
        (void)headers;
        const char *kind = json_str(json_get(body, "kind"));
        const char *project = json_str(json_get(body, "project"));
        const char *object = json_str(json_get(body, "object"));
        if (kind == NULL || project == NULL || object == NULL) {
                err_set(err, "", "the body lacks kind, project or object");
                return ROUTE_MALFORMED;
        }
        const struct json *given = json_get(body, "facts");
        struct json_out *facts = route_facts_new();
        for (size_t i = 0; i < json_len(given); i++)
                if (json_key_at(given, i) != NULL)
                        copy_fact(facts, json_key_at(given, i), json_at(given, i));
        return route_set(ret, "local", kind, project, object, facts, err);
}
