/*
 * json_write.c - yajl_gen behind names that cannot fail: the only failures it has are values in the wrong
 * place, which are bugs of ours and end the process, and bad UTF-8, which is replaced before it gets there.
 */
#include "common/json_write.h"

#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

#include "common/json_doc.h"
#include "common/strbuf.h"
#include "common/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

struct json_out {
        yajl_gen gen;
        unsigned open; /* containers */
        bool started;
};

static void must(struct json_out *j, yajl_gen_status status)
{
        if (status != yajl_gen_status_ok)
                abort();
        j->started = true;
}

struct json_out *json_out_new(bool pretty)
{
        static const yajl_alloc_funcs memory = JSON_YAJL_MEMORY;
        struct json_out *j = xmalloc(sizeof(*j));
        *j = (struct json_out){.gen = yajl_gen_alloc(&memory)};
        yajl_gen_config(j->gen, yajl_gen_validate_utf8, 1);
        yajl_gen_config(j->gen, yajl_gen_beautify, pretty ? 1 : 0);
        yajl_gen_config(j->gen, yajl_gen_indent_string, "  ");
        return j;
}

void json_out_free(struct json_out *j)
{
        if (j == NULL)
                return;
        yajl_gen_free(j->gen);
        free(j);
}

void json_out_object(struct json_out *j)
{
        must(j, yajl_gen_map_open(j->gen));
        j->open++;
}

void json_out_object_end(struct json_out *j)
{
        must(j, yajl_gen_map_close(j->gen));
        j->open--;
}

void json_out_array(struct json_out *j)
{
        must(j, yajl_gen_array_open(j->gen));
        j->open++;
}

void json_out_array_end(struct json_out *j)
{
        must(j, yajl_gen_array_close(j->gen));
        j->open--;
}

/* How many bytes at the start of `s` are whole characters. */
static size_t valid_prefix(const char *s, size_t len)
{
        size_t i = 0;
        uint32_t code_point;
        for (size_t n = 1; i < len && n > 0; i += n)
                n = utf8_decode(s + i, len - i, &code_point);
        return i;
}

static void repair(struct strbuf *sb, const char *s, size_t len)
{
        while (len > 0) {
                size_t good = valid_prefix(s, len);
                strbuf_add(sb, s, good);
                if (good == len)
                        return;
                strbuf_addstr(sb, REPLACEMENT);
                s += good + 1;
                len -= good + 1;
        }
}

static void add_text(struct json_out *j, const char *s)
{
        size_t len = strlen(s);
        struct strbuf repaired = STRBUF_INIT;
        if (valid_prefix(s, len) < len) {
                repair(&repaired, s, len);
                s = repaired.buf;
                len = repaired.len;
        }
        must(j, yajl_gen_string(j->gen, (const unsigned char *)s, len));
        strbuf_deinit(&repaired);
}

void json_out_key(struct json_out *j, const char *key)
{
        add_text(j, key);
}

void json_out_str(struct json_out *j, const char *s)
{
        if (s == NULL)
                json_out_null(j);
        else
                add_text(j, s);
}

void json_out_int(struct json_out *j, int64_t n)
{
        must(j, yajl_gen_integer(j->gen, n));
}

void json_out_bool(struct json_out *j, bool b)
{
        must(j, yajl_gen_bool(j->gen, b));
}

void json_out_null(struct json_out *j)
{
        must(j, yajl_gen_null(j->gen));
}

void json_out_kstr(struct json_out *j, const char *key, const char *s)
{
        json_out_key(j, key);
        json_out_str(j, s);
}

void json_out_kint(struct json_out *j, const char *key, int64_t n)
{
        json_out_key(j, key);
        json_out_int(j, n);
}

void json_out_kbool(struct json_out *j, const char *key, bool b)
{
        json_out_key(j, key);
        json_out_bool(j, b);
}

void json_out_finish(struct json_out *j, struct strbuf *sb)
{
        const unsigned char *text;
        size_t len;
        if (j->open > 0 || !j->started || yajl_gen_get_buf(j->gen, &text, &len) != yajl_gen_status_ok)
                abort();
        strbuf_add(sb, text, len);
}
