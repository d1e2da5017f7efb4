/*
 * json_doc.h - what a parsed document looks like inside; shared by json_text.c (bytes), json_parse.c
 * (building) and json_read.c (answering), and by nothing else.
 *
 * One allocation holds it all: the header, the members of all containers (those of one container side by
 * side), for objects the same members by key, and the text of strings and numbers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <yajl/yajl_common.h>

#include "common/json_read.h"
#include "common/mem.h"

struct json_member;

struct json {
        enum json_type type;
        uint32_t n; /* members of a container */
        union {
                bool boolean;
                const char *text; /* of a string, or of a number as it was written; terminated */
                struct {
                        struct json_member *members;         /* in document order */
                        struct json_member **members_by_key; /* objects: sorted, for the search */
                } container;
        } u;
};

struct json_member {
        const char *key; /* NULL in arrays */
        struct json value;
};

struct json_doc {
        struct json root;
        size_t max_members, n_members; /* places in `members`, and how many belong to a closed container */
        struct json_member *members;
        struct json_member **members_by_key;
        char *text, *text_end;
};

/* What the bytes are like, before any of them is interpreted. */
struct json_text_facts {
        size_t max_values; /* no document of these bytes has more values */
};

/* 0; -EINVAL with the reason and byte offset in `err`: not UTF-8, a control byte, or an escape of NUL or of
 * half a surrogate pair. */
int json_text_check(const char *text, size_t len, struct json_text_facts *ret_facts, struct errinfo *err);

/* yajl does not look at what an allocation returned; these never return NULL. */
static inline void *json_yajl_malloc(void *ctx, size_t size)
{
        (void)ctx;
        return xmalloc(size);
}

static inline void *json_yajl_realloc(void *ctx, void *p, size_t size)
{
        (void)ctx;
        return xrealloc(p, size);
}

static inline void json_yajl_free(void *ctx, void *p)
{
        (void)ctx;
        freep(&p);
}

#define JSON_YAJL_MEMORY                                                                                     \
        {                                                                                                    \
                .malloc = json_yajl_malloc, .realloc = json_yajl_realloc, .free = json_yajl_free,            \
                .ctx = NULL                                                                                  \
        }
