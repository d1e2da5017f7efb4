/* json_write.h - JSON text through yajl_gen (UTF-8 checked; invalid bytes are replaced by U+FFFD, never
 * emitted). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct strbuf;
struct json_out;

struct json_out *json_out_new(bool pretty);
void json_out_free(struct json_out *j);
void json_out_object(struct json_out *j);
void json_out_object_end(struct json_out *j);
void json_out_array(struct json_out *j);
void json_out_array_end(struct json_out *j);
void json_out_key(struct json_out *j, const char *key);
void json_out_str(struct json_out *j, const char *s); /* NULL writes null */
void json_out_int(struct json_out *j, int64_t n);
void json_out_bool(struct json_out *j, bool b);
void json_out_null(struct json_out *j);
/* Key and value in one. */
void json_out_kstr(struct json_out *j, const char *key, const char *s);
void json_out_kint(struct json_out *j, const char *key, int64_t n);
void json_out_kbool(struct json_out *j, const char *key, bool b);
/* Appends the finished document; aborts when objects are still open (a bug of ours). */
void json_out_finish(struct json_out *j, struct strbuf *sb);
