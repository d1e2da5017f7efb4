/*
 * route_plane.c - Plane deliveries, both generations of its webhooks.
 *
 * v1 says event=issue, action=updated (or update); v2 says event=workitem.updated, and documented samples
 * show an enum's name instead, and the text "None" for null. Both become one of: item, item-comment,
 * item-deleted. State names and activity values are hints and never an order of events: the handler reads the
 * item again.
 */
#include "workerd/route.h"

#include <ctype.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"

static const char SOURCE[] = "plane";

/* A string that says something: not absent, not empty, not Python's word for null. */
static const char *str_at(const struct json *body, const char *path)
{
        const char *s = json_str(json_path(body, path));
        return s != NULL && s[0] != '\0' && strcmp(s, "None") != 0 ? s : NULL;
}

static const char *first_of(const struct json *body, const char *a, const char *b)
{
        const char *s = str_at(body, a);
        return s != NULL ? s : str_at(body, b);
}

/* "WebhookScope.ScopeChoices.WORK_ITEM_COMMENT_CREATED" and "workitem.comment.created" both give
 * "workitemcommentcreated": letters only, without the enum's class. */
static void squeeze_name(struct strbuf *sb, const char *event)
{
        const char *dot = strrchr(event, '.');
        const char *p = dot != NULL && isupper((unsigned char)dot[1]) ? dot + 1 : event;
        for (; *p != '\0'; p++)
                if (isalnum((unsigned char)*p))
                        strbuf_addch(sb, (char)tolower((unsigned char)*p));
}

/* What an event is, by its squeezed name; v1 names are put together from event and action. */
static const struct {
        const char *name;
        const char *kind;
} kinds[] = {
        {"workitemcreated", "tracker.item"},
        {"workitemupdated", "tracker.item"},
        {"workitemarchived", "tracker.item"},
        {"workitemdeleted", "tracker.deleted"},
        {"workitemcommentcreated", "tracker.comment"},
        {"workitemcommentupdated", "tracker.comment"},
        {"issuecreate", "tracker.item"},
        {"issuecreated", "tracker.item"},
        {"issueupdate", "tracker.item"},
        {"issueupdated", "tracker.item"},
        {"issuedelete", "tracker.deleted"},
        {"issuedeleted", "tracker.deleted"},
        {"issuecommentcreate", "tracker.comment"},
        {"issuecommentcreated", "tracker.comment"},
        {"issuecommentupdate", "tracker.comment"},
        {"issuecommentupdated", "tracker.comment"},
};

static const char *find_kind(const char *squeezed)
{
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(kinds[i].name, squeezed) == 0)
                        return kinds[i].kind;
        return NULL;
}

static bool is_v2(const struct json *body)
{
        const char *version = str_at(body, "version");
        return version != NULL && strcmp(version, "v1") != 0;
}

static const char *kind_of(const struct json *body)
{
        struct strbuf name = STRBUF_INIT;
        const char *event = str_at(body, "event");
        const char *action = str_at(body, "action");
        if (event != NULL)
                squeeze_name(&name, event);
        if (event != NULL && action != NULL && !is_v2(body))
                squeeze_name(&name, action);
        const char *kind = find_kind(name.buf);
        strbuf_deinit(&name);
        return kind;
}

static void add_labels(struct json_out *facts, const struct json *labels)
{
        if (labels == NULL || json_type(labels) != JSON_ARRAY)
                return;
        json_out_key(facts, "labels");
        json_out_array(facts);
        for (size_t i = 0; i < json_len(labels); i++) {
                const char *name = str_at(json_at(labels, i), "name");
                if (name != NULL && strlen(name) <= ROUTE_NAME_MAX)
                        json_out_str(facts, name);
        }
        json_out_array_end(facts);
}

static struct json_out *item_facts(const struct json *body)
{
        const struct json *data = json_get(body, "data");
        struct json_out *facts = route_facts_new();
        route_fact(facts, "title", str_at(data, "name"));
        route_fact(facts, "state", first_of(data, "state.id", "state_id"));
        route_fact(facts, "state_name", str_at(data, "state.name"));
        route_fact(facts, "state_group", str_at(data, "state.group"));
        route_fact_int(facts, "sequence", json_get(data, "sequence_id"));
        route_fact(facts, "actor", str_at(body, "activity.actor.id"));
        route_fact(facts, "actor_name", str_at(body, "activity.actor.display_name"));
        add_labels(facts, json_get(data, "labels"));
        return facts;
}

static struct json_out *comment_facts(const struct json *body)
{
        struct json_out *facts = route_facts_new();
        route_fact(facts, "comment", first_of(body, "data.comment.id", "data.id"));
        route_fact(facts, "actor", first_of(body, "data.comment.actor_id", "data.actor"));
        return facts;
}

/* The item that a comment belongs to: v1 has the comment as data, v2 the item with the comment inside. */
static const char *comment_item(const struct json *body)
{
        const char *item = first_of(body, "data.issue", "data.comment.issue_id");
        return item != NULL ? item : str_at(body, "entity_id");
}

/* A deleted item may come with data null or {}; v2 keeps its last record aside. */
static const char *item_id(const struct json *body)
{
        const char *item = first_of(body, "data.id", "previous_attributes.id");
        return item != NULL ? item : str_at(body, "entity_id");
}

static const char *project_id(const struct json *body)
{
        const char *project = first_of(body, "data.project", "data.project_id");
        if (project == NULL)
                project = str_at(body, "previous_attributes.project_id");
        return project != NULL ? project : "";
}

int route_plane(const struct json *headers, const struct json *body, struct route *ret, struct errinfo *err)
{
        (void)headers; /* X-Plane-Event repeats the body's event, which alone is signed */
        const char *kind = kind_of(body);
        if (kind == NULL)
                return route_ignored(ret, SOURCE, project_id(body));
        bool comment = strcmp(kind, "tracker.comment") == 0;
        const char *item = comment ? comment_item(body) : item_id(body);
        if (item == NULL) {
                err_set(err, "", "the body names no work item");
                return ROUTE_MALFORMED;
        }
        return route_set(ret, SOURCE, kind, project_id(body), item,
                         comment ? comment_facts(body) : item_facts(body), err);
}
