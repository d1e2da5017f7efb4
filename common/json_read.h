/*
 * json_read.h - the one bounded JSON reader, over yajl's parser (never its tree).
 *
 * Order: size cap, strict UTF-8 (no overlong forms, surrogates, or code points above U+10FFFF), then parsing
 * with bounded depth, values, key and string length. Refused: duplicate keys, lone surrogate escapes, NUL in
 * any string
 * (\u0000), trailing bytes, numbers beyond what a double or int64 holds. The document lives in one arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct json; /* one value; borrowed from its document */
struct json_doc;

struct json_limits {
        size_t max_bytes;
        unsigned max_depth;
        unsigned max_values;
        size_t max_key_bytes;
        size_t max_string_bytes;
};
#define JSON_LIMITS_DEFAULT                                                                                  \
        {                                                                                                    \
                .max_bytes = 4u << 20, .max_depth = 64, .max_values = 100000, .max_key_bytes = 256,          \
                .max_string_bytes = 1u << 20                                                                 \
        }

/* `limits`: NULL for JSON_LIMITS_DEFAULT. 0; -EINVAL with the reason and byte offset in `err`. Its code is
 * JSON_REFUSED for what is JSON, but beyond the limits or what we read. */
#define JSON_REFUSED "json refused"
int json_parse(const char *text, size_t len, const struct json_limits *limits, struct json_doc **ret_doc,
               struct errinfo *err);
void json_doc_free(struct json_doc *doc);
/* For a text of somebody who is careless: replaces in place, by '?', a blank or U+FFFD, the bytes and escapes
 * that json_parse() refuses as no character. A text without any stays as it is. */
void json_repair(char *text, size_t len);
const struct json *json_root(const struct json_doc *doc);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_type json_type(const struct json *v);
/* All take NULL and the wrong type and then answer "absent": NULL, false, 0. */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_path(const struct json *v, const char *dotted); /* "data.state.id" */
size_t json_len(const struct json *array_or_object);
const struct json *json_at(const struct json *array_or_object, size_t i);
const char *json_key_at(const struct json *object, size_t i);
const char *json_str(const struct json *v); /* terminated, no NUL inside */
bool json_bool(const struct json *v, bool *ret_value);
bool json_int(const struct json *v, int64_t *ret_value);
const char *json_number_text(const struct json *v);
