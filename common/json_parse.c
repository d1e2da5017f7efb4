/*
 * json_parse.c - builds a json_doc from the events of yajl's parser.
 *
 * Nothing recurses: open containers are a bounded array of frames, and the members seen so far wait on one
 * pending stack. When a container ends, its members move from the stack to their final place in the document,
 * so that they stand side by side and nothing points into memory that still grows.
 *
 * Space for the text is the length of the input plus one: a string loses its two quotes and gains a
 * terminator, an escape never grows, and a number is followed by a byte of its own (or by the end).
 */
#include "common/json_doc.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#define JSON_NUMBER_BYTES_MAX 128 /* more digits than any double or int64 has a use for */

struct frame {
        size_t first;    /* of its members on the pending stack */
        const char *key; /* that waits for its value; NULL in arrays */
        bool is_object;
};

struct builder {
        const struct json_limits *limits;
        struct json_doc *doc;
        struct json_member *pending;
        size_t n_pending, pending_alloc;
        struct frame *frames; /* limits->max_depth of them */
        unsigned depth;
        unsigned values;
        bool has_root;
        const char *refusal; /* why a callback stopped the parser */
};

static int refuse(struct builder *b, const char *why)
{
        b->refusal = why;
        return 0;
}

static const char *keep_text(struct builder *b, const void *text, size_t len)
{
        char *copy = b->doc->text_end;
        memcpy(copy, text, len);
        copy[len] = '\0';
        b->doc->text_end += len + 1;
        return copy;
}

static void push(struct builder *b, struct json_member member)
{
        if (b->n_pending == b->pending_alloc) {
                b->pending_alloc = 2 * b->pending_alloc + 16;
                b->pending = xrealloc(b->pending, b->pending_alloc * sizeof(*b->pending));
        }
        b->pending[b->n_pending++] = member;
}

/* Puts a value where the parser stands: at the root, or as the next member of the innermost container. */
static int add(struct builder *b, struct json value)
{
        if (b->depth == 0) {
                assert(!b->has_root); /* yajl ends after one */
                b->doc->root = value;
                b->has_root = true;
                return 1;
        }
        struct frame *top = &b->frames[b->depth - 1];
        push(b, (struct json_member){.key = top->key, .value = value});
        top->key = NULL;
        return 1;
}

static bool one_more_value(struct builder *b)
{
        return ++b->values <= b->limits->max_values || refuse(b, "too many values");
}

static int on_null(void *ctx)
{
        return one_more_value(ctx) && add(ctx, (struct json){.type = JSON_NULL});
}

static int on_boolean(void *ctx, int value)
{
        return one_more_value(ctx) && add(ctx, (struct json){.type = JSON_BOOL, .u.boolean = value != 0});
}

/* An integer must fit an int64, everything else a double: what is beyond would be refused later on, or become
 * infinite or zero. */
static bool number_fits(const char *text)
{
        errno = 0;
        if (text[strcspn(text, ".eE")] == '\0') {
                (void)strtoll(text, NULL, 10);
                return errno == 0;
        }
        double value = strtod(text, NULL);
        return !isinf(value) && (value != 0 || errno == 0);
}

static int on_number(void *ctx, const char *text, size_t len)
{
        struct builder *b = ctx;
        if (!one_more_value(b))
                return 0;
        if (len > JSON_NUMBER_BYTES_MAX)
                return refuse(b, "a number is too long");
        const char *copy = keep_text(b, text, len);
        if (!number_fits(copy))
                return refuse(b, "a number is out of range");
        return add(b, (struct json){.type = JSON_NUMBER, .u.text = copy});
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
        struct builder *b = ctx;
        if (!one_more_value(b))
                return 0;
        if (len > b->limits->max_string_bytes)
                return refuse(b, "a string is too long");
        return add(b, (struct json){.type = JSON_STRING, .u.text = keep_text(b, text, len)});
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
        struct builder *b = ctx;
        if (len > b->limits->max_key_bytes)
                return refuse(b, "a key is too long");
        b->frames[b->depth - 1].key = keep_text(b, text, len);
        return 1;
}

static int start(struct builder *b, bool is_object)
{
        if (!one_more_value(b))
                return 0;
        if (b->depth == b->limits->max_depth)
                return refuse(b, "nested too deep");
        b->frames[b->depth++] = (struct frame){.first = b->n_pending, .is_object = is_object};
        return 1;
}

static int on_start_object(void *ctx)
{
        return start(ctx, true);
}

static int on_start_array(void *ctx)
{
        return start(ctx, false);
}

static int by_key(const void *a, const void *b)
{
        const struct json_member *const *x = a, *const *y = b;
        return strcmp((*x)->key, (*y)->key);
}

/* Sorts the members of an object; false when two have the same key. */
static bool index_keys(struct json *object)
{
        struct json_member **sorted = object->u.container.members_by_key;
        for (uint32_t i = 0; i < object->n; i++)
                sorted[i] = &object->u.container.members[i];
        qsort(sorted, object->n, sizeof(struct json_member *), by_key);
        for (uint32_t i = 1; i < object->n; i++)
                if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
                        return false;
        return true;
}

static int on_end(void *ctx)
{
        struct builder *b = ctx;
        struct json_doc *doc = b->doc;
        struct frame frame = b->frames[--b->depth];
        size_t n = b->n_pending - frame.first;
        assert(doc->n_members + n <= doc->max_members);

        struct json container = {
                .type = frame.is_object ? JSON_OBJECT : JSON_ARRAY,
                .n = (uint32_t)n,
                .u.container = {.members = doc->members + doc->n_members,
                                .members_by_key = doc->members_by_key + doc->n_members},
        };
        if (n > 0)
                memcpy(container.u.container.members, b->pending + frame.first, n * sizeof(*b->pending));
        b->n_pending = frame.first;
        doc->n_members += n;
        if (frame.is_object && !index_keys(&container))
                return refuse(b, "a key stands twice in the object that ends");
        return add(b, container);
}

static struct json_doc *doc_new(size_t text_len, size_t max_members)
{
        size_t per_member = sizeof(struct json_member) + sizeof(struct json_member *);
        struct json_doc *doc = xmalloc(sizeof(*doc) + max_members * per_member + text_len + 1);
        *doc = (struct json_doc){.max_members = max_members};
        doc->members = (struct json_member *)(doc + 1);
        doc->members_by_key = (struct json_member **)(doc->members + max_members);
        doc->text = doc->text_end = (char *)(doc->members_by_key + max_members);
        return doc;
}

void json_doc_free(struct json_doc *doc)
{
        free(doc);
}

static void json_doc_freep(struct json_doc **doc)
{
        json_doc_free(*doc);
}

static void say_why(const struct builder *b, yajl_handle parser, size_t offset, struct errinfo *err)
{
        if (b->refusal != NULL) {
                err_set(err, JSON_REFUSED, "%s at byte %zu", b->refusal, offset);
                return;
        }
        unsigned char *text = yajl_get_error(parser, 0, NULL, 0);
        text[strcspn((char *)text, "\n")] = '\0';
        err_set(err, "json", "%s at byte %zu", text, offset);
        yajl_free_error(parser, text);
}

static int run_parser(struct builder *b, const char *text, size_t len, struct errinfo *err)
{
        static const yajl_callbacks callbacks = {
                .yajl_null = on_null,
                .yajl_boolean = on_boolean,
                .yajl_number = on_number,
                .yajl_string = on_string,
                .yajl_start_map = on_start_object,
                .yajl_map_key = on_key,
                .yajl_end_map = on_end,
                .yajl_start_array = on_start_array,
                .yajl_end_array = on_end,
        };
        yajl_alloc_funcs memory = JSON_YAJL_MEMORY;
        yajl_handle parser = yajl_alloc(&callbacks, &memory, b);
        size_t offset = len;
        yajl_status status = yajl_parse(parser, (const unsigned char *)text, len);
        if (status == yajl_status_ok)
                status = yajl_complete_parse(parser);
        else
                offset = yajl_get_bytes_consumed(parser);
        if (status != yajl_status_ok)
                say_why(b, parser, offset, err);
        yajl_free(parser);
        return status == yajl_status_ok ? 0 : -EINVAL;
}

int json_parse(const char *text, size_t len, const struct json_limits *limits, struct json_doc **ret_doc,
               struct errinfo *err)
{
        static const struct json_limits usual = JSON_LIMITS_DEFAULT;
        if (limits == NULL)
                limits = &usual;
        if (len > limits->max_bytes) {
                err_set(err, JSON_REFUSED, "%zu bytes, more than the %zu allowed", len, limits->max_bytes);
                return -EINVAL;
        }
        struct json_text_facts facts;
        int r = json_text_check(text, len, &facts, err);
        if (r < 0)
                return r;
        size_t members = facts.max_values < limits->max_values ? facts.max_values : limits->max_values;
        _cleanup_(json_doc_freep) struct json_doc *doc = doc_new(len, members);
        _cleanup_(freep) struct frame *frames = xcalloc(limits->max_depth, sizeof(*frames));
        struct builder b = {.limits = limits, .doc = doc, .frames = frames};
        r = run_parser(&b, text, len, err);
        free(b.pending);
        if (r < 0)
                return r;
        assert(b.has_root && b.n_pending == 0); /* yajl refuses an empty text */
        *ret_doc = take_ptr(doc);
        return 0;
}
