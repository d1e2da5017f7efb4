/* gitea_read.c - see gitea_read.h. */
#include "common/gitea_read.h"

#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"

static void put(struct json_out *out, const char *key, const struct json *value)
{
        const char *text = json_str(value);
        if (text != NULL)
                json_out_kstr(out, key, text);
}

static void put_int(struct json_out *out, const char *key, const struct json *value)
{
        int64_t n = 0;
        if (json_int(value, &n))
                json_out_kint(out, key, n);
}

static void put_bool(struct json_out *out, const char *key, const struct json *value)
{
        bool b = false;
        if (json_bool(value, &b))
                json_out_kbool(out, key, b);
}

void gitea_read_user(struct json_out *out, const struct json *v)
{
        put(out, "login", json_get(v, "login"));
        put_bool(out, "admin", json_get(v, "is_admin"));
}

void gitea_read_repo(struct json_out *out, const struct json *v)
{
        put(out, "full_name", json_get(v, "full_name"));
        put(out, "default_branch", json_get(v, "default_branch"));
        put(out, "clone_url", json_get(v, "clone_url"));
        put_bool(out, "archived", json_get(v, "archived"));
        put_bool(out, "push", json_path(v, "permissions.push"));
        put_bool(out, "admin", json_path(v, "permissions.admin"));
}

void gitea_read_branch(struct json_out *out, const struct json *v)
{
        put(out, "branch", json_get(v, "name"));
        put(out, "sha", json_path(v, "commit.id"));
        put_bool(out, "protected", json_get(v, "protected"));
}

/* In an item of the list the state is called status. */
void gitea_read_status(struct json_out *out, const struct json *v)
{
        put(out, "context", json_get(v, "context"));
        put(out, "state", json_get(v, "status"));
        put(out, "description", json_get(v, "description"));
        put(out, "url", json_get(v, "target_url"));
}

void gitea_read_pull(struct json_out *out, const struct json *v)
{
        put_int(out, "number", json_get(v, "number"));
        put(out, "state", json_get(v, "state"));
        put_bool(out, "merged", json_get(v, "merged"));
        put_bool(out, "draft", json_get(v, "draft"));
        put_bool(out, "mergeable", json_get(v, "mergeable"));
        put(out, "branch", json_path(v, "head.label"));
        put(out, "head", json_path(v, "head.sha"));
        put(out, "base", json_path(v, "base.ref"));
        put(out, "merge_sha", json_get(v, "merge_commit_sha"));
        put(out, "url", json_get(v, "html_url"));
}

void gitea_read_review(struct json_out *out, const struct json *v)
{
        put_int(out, "id", json_get(v, "id"));
        put(out, "state", json_get(v, "state"));
        put(out, "sha", json_get(v, "commit_id"));
        put(out, "login", json_path(v, "user.login"));
        put_bool(out, "official", json_get(v, "official"));
        put_bool(out, "stale", json_get(v, "stale"));
        put_bool(out, "dismissed", json_get(v, "dismissed"));
}

void gitea_read_hook(struct json_out *out, const struct json *v)
{
        const struct json *events = json_get(v, "events");
        put_int(out, "id", json_get(v, "id"));
        put_bool(out, "active", json_get(v, "active"));
        put(out, "url", json_path(v, "config.url"));
        put(out, "content_type", json_path(v, "config.content_type"));
        json_out_key(out, "events");
        json_out_array(out);
        for (size_t i = 0; i < json_len(events); i++)
                if (json_str(json_at(events, i)) != NULL)
                        json_out_str(out, json_str(json_at(events, i)));
        json_out_array_end(out);
}

bool gitea_is_pull_of(const struct json *pull, const char *branch, const char *base)
{
        const char *label = json_str(json_path(pull, "head.label"));
        const char *ref = json_str(json_path(pull, "base.ref"));
        return label != NULL && ref != NULL && strcmp(label, branch) == 0 && strcmp(ref, base) == 0;
}
