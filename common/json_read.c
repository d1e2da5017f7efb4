/* json_read.c - answers questions about a parsed document. Whatever is asked of the wrong value is "absent".
 */
#include "common/json_read.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_doc.h"

static bool is(const struct json *v, enum json_type type)
{
        return v != NULL && v->type == type;
}

static bool is_container(const struct json *v)
{
        return is(v, JSON_ARRAY) || is(v, JSON_OBJECT);
}

const struct json *json_root(const struct json_doc *doc)
{
        return &doc->root;
}

enum json_type json_type(const struct json *v)
{
        return v != NULL ? v->type : JSON_NULL;
}

/* A key as part of a longer text, so that a dotted path needs no copies. */
struct key {
        const char *text;
        size_t len;
};

static int compare_key(const void *wanted, const void *element)
{
        const struct key *key = wanted;
        const struct json_member *const *member = element;
        int r = strncmp(key->text, (*member)->key, key->len);
        return r != 0 ? r : -((*member)->key[key->len] != '\0');
}

static const struct json *find(const struct json *object, struct key key)
{
        if (!is(object, JSON_OBJECT) || object->n == 0)
                return NULL;
        struct json_member *const *found = bsearch(&key, object->u.container.members_by_key, object->n,
                                                   sizeof(struct json_member *), compare_key);
        return found != NULL ? &(*found)->value : NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
        return find(object, (struct key){.text = key, .len = strlen(key)});
}

const struct json *json_path(const struct json *v, const char *dotted)
{
        for (;;) {
                size_t len = strcspn(dotted, ".");
                v = find(v, (struct key){.text = dotted, .len = len});
                if (v == NULL || dotted[len] == '\0')
                        return v;
                dotted += len + 1;
        }
}

size_t json_len(const struct json *array_or_object)
{
        return is_container(array_or_object) ? array_or_object->n : 0;
}

const struct json *json_at(const struct json *array_or_object, size_t i)
{
        return i < json_len(array_or_object) ? &array_or_object->u.container.members[i].value : NULL;
}

const char *json_key_at(const struct json *object, size_t i)
{
        return is(object, JSON_OBJECT) && i < object->n ? object->u.container.members[i].key : NULL;
}

const char *json_str(const struct json *v)
{
        return is(v, JSON_STRING) ? v->u.text : NULL;
}

bool json_bool(const struct json *v, bool *ret_value)
{
        if (!is(v, JSON_BOOL))
                return false;
        *ret_value = v->u.boolean;
        return true;
}

bool json_int(const struct json *v, int64_t *ret_value)
{
        const char *text = json_number_text(v);
        if (text == NULL || text[strcspn(text, ".eE")] != '\0')
                return false;
        *ret_value = strtoll(text, NULL, 10); /* the reader refuses what does not fit */
        return true;
}

const char *json_number_text(const struct json *v)
{
        return is(v, JSON_NUMBER) ? v->u.text : NULL;
}
