/*
 * route_local.c - events of the local tracker: {"event": "item", "project", "work_item", "state", "comment",
 * "actor"}.
 *
 * They come from SQL functions of our own; here they are checked as strictly as a stranger's.
 */
#include "workerd/route.h"

#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"

int route_local(const struct json *headers, const struct json *body, struct route *ret, struct errinfo *err)
{
        (void)headers;
        const char *event = json_str(json_get(body, "event"));
        const char *project = json_str(json_get(body, "project"));
        const char *item = json_str(json_get(body, "work_item"));
        if (event == NULL || strcmp(event, "item") != 0)
                return route_ignored(ret, "local", project);
        if (project == NULL || item == NULL) {
                err_set(err, "", "the body has no %s", project == NULL ? "project" : "work_item");
                return ROUTE_MALFORMED;
        }
        struct json_out *facts = route_facts_new();
        route_fact(facts, "state", json_str(json_get(body, "state")));
        route_fact(facts, "actor", json_str(json_get(body, "actor")));
        const char *comment = json_str(json_get(body, "comment"));
        if (comment != NULL)
                json_out_kstr(facts, "comment", comment); /* whole: it is what the role reads next */
        return route_set(ret, "local", "tracker.item", project, item, facts, err);
}
