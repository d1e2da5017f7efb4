/*
 * fuzz_json.c - any bytes through the JSON reader. What it accepts must answer consistently: each member is
 * found by its key and by its index, texts are whole UTF-8 without NUL, and what we write of it is read back
 * the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/strbuf.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
        if (!holds)
                abort();
}

static void check_text(const char *s)
{
        uint32_t code_point;
        size_t n = 0;
        for (size_t len = strlen(s); len > 0; s += n, len -= n) {
                n = utf8_decode(s, len, &code_point);
                must(n > 0);
        }
}

static void copy_value(struct json_out *out, const struct json *v);

static void copy_container(struct json_out *out, const struct json *v)
{
        for (size_t i = 0; i < json_len(v); i++) {
                const char *key = json_key_at(v, i);
                if (key != NULL) {
                        check_text(key);
                        must(json_get(v, key) == json_at(v, i));
                        json_out_key(out, key);
                }
                copy_value(out, json_at(v, i));
        }
        must(json_at(v, json_len(v)) == NULL);
}

static void copy_scalar(struct json_out *out, const struct json *v)
{
        bool b;
        int64_t n;
        if (json_bool(v, &b)) {
                json_out_bool(out, b);
        } else if (json_int(v, &n)) {
                json_out_int(out, n);
        } else if (json_type(v) == JSON_NULL) {
                json_out_null(out);
        } else { /* other numbers as a text */
                const char *text = json_type(v) == JSON_NUMBER ? json_number_text(v) : json_str(v);
                check_text(text);
                json_out_str(out, text);
        }
}

/* Recursion is bounded by the reader's depth limit. */
static void copy_value(struct json_out *out, const struct json *v)
{
        if (json_type(v) == JSON_OBJECT) {
                json_out_object(out);
                copy_container(out, v);
                json_out_object_end(out);
        } else if (json_type(v) == JSON_ARRAY) {
                json_out_array(out);
                copy_container(out, v);
                json_out_array_end(out);
        } else {
                copy_scalar(out, v);
        }
}

/* Writes the document anew; the reader must accept its own writer's text, so failing to is a bug. */
static void copy(const char *text, size_t len, const struct json_limits *limits, struct strbuf *sb)
{
        struct json_doc *doc;
        must(json_parse(text, len, limits, &doc, NULL) == 0);
        struct json_out *out = json_out_new(false);
        copy_value(out, json_root(doc));
        json_out_finish(out, sb);
        json_out_free(out);
        json_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct json_limits limits = JSON_LIMITS_DEFAULT;
        struct json_limits roomy = limits;
        struct json_doc *doc;
        struct errinfo err = ERRINFO_INIT;
        if (json_parse((const char *)data, size, &limits, &doc, &err) != 0) {
                must(err.text[0] != '\0');
                return 0;
        }
        json_doc_free(doc);

        roomy.max_bytes *= 6; /* an escape may be longer than what was written at first */
        struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;
        copy((const char *)data, size, &limits, &once);
        copy(once.buf, once.len, &roomy, &twice);
        must(once.len == twice.len && memcmp(once.buf, twice.buf, once.len) == 0);
        strbuf_deinit(&once);
        strbuf_deinit(&twice);
        return 0;
}
