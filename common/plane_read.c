/* plane_read.c - see plane_read.h. */
#include "common/plane_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json_read.h"
#include "common/json_write.h"
#include "common/mem.h"
#include "common/plane.h"
#include "common/strbuf.h"
#include "common/utf8.h"

/* What is longer is cut: nobody reads on, and an answer has to fit into a statement. */
#define DESCRIPTION_BYTES_MAX 65536
#define COMMENT_BYTES_MAX     16384
#define LABELS_MAX            1000

static void put(struct json_out *out, const char *key, const struct json *value)
{
        const char *text = json_str(value);
        if (text != NULL)
                json_out_kstr(out, key, text);
}

/* ---- HTML ---- */

static const struct {
        const char *name;
        const char *text;
} entities[] = {
        {"lt;", "<"},  {"gt;", ">"},   {"amp;", "&"},  {"quot;", "\""},
        {"#39;", "'"}, {"#x27;", "'"}, {"nbsp;", " "}, {"apos;", "'"},
};

/* The bytes of the entity after '&', or 0 when it is none that we know. */
static size_t entity(struct strbuf *sb, const char *s)
{
        for (size_t i = 0; i < ARRAY_SIZE(entities); i++) {
                size_t len = strlen(entities[i].name);
                if (strncmp(s, entities[i].name, len) != 0)
                        continue;
                strbuf_addstr(sb, entities[i].text);
                return len;
        }
        return 0;
}

static bool is_tag(const char *tag, size_t len, const char *name)
{
        size_t n = strlen(name);
        return len >= n && strncasecmp(tag, name, n) == 0 &&
               (len == n || strchr(" \t\r\n/>", tag[n]) != NULL);
}

static bool ends_line(const char *tag, size_t len)
{
        static const char *const names[] = {"/p",  "br",  "/li", "/div", "/h1",        "/h2",
                                            "/h3", "/h4", "/tr", "/pre", "/blockquote"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (is_tag(tag, len, names[i]))
                        return true;
        return false;
}

static void trim(struct strbuf *sb, size_t from)
{
        while (sb->len > from && strchr(" \t\r\n", sb->buf[sb->len - 1]) != NULL)
                strbuf_remove(sb, sb->len - 1, 1);
}

void plane_text(struct strbuf *sb, const char *html)
{
        size_t from = sb->len;
        while (*html != '\0') {
                size_t len = strcspn(html, "<&");
                strbuf_add(sb, html, len);
                html += len;
                if (*html == '<') {
                        size_t tag = strcspn(html + 1, ">");
                        if (html[1 + tag] == '\0')
                                break; /* cut off in a tag */
                        if (ends_line(html + 1, tag))
                                strbuf_addch(sb, '\n');
                        html += tag + 2;
                } else if (*html == '&') {
                        size_t n = entity(sb, html + 1);
                        if (n == 0)
                                strbuf_addch(sb, '&');
                        html += 1 + n;
                }
        }
        trim(sb, from);
}

static void add_escaped(struct strbuf *sb, const char *text, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                if (text[i] == '<')
                        strbuf_addstr(sb, "&lt;");
                else if (text[i] == '>')
                        strbuf_addstr(sb, "&gt;");
                else if (text[i] == '&')
                        strbuf_addstr(sb, "&amp;");
                else
                        strbuf_addch(sb, text[i]);
        }
}

void plane_html(struct strbuf *sb, const char *text)
{
        do {
                size_t len = strcspn(text, "\n");
                strbuf_addstr(sb, "<p>");
                add_escaped(sb, text, len);
                strbuf_addstr(sb, "</p>");
                text += len + (text[len] == '\n');
        } while (*text != '\0');
}

/* ---- objects ---- */

/* REST gives names when asked to expand, else UUIDs, which are no names. */
static void put_labels(struct json_out *out, const struct json *labels)
{
        json_out_key(out, "labels");
        json_out_array(out);
        for (size_t i = 0; i < json_len(labels) && i < LABELS_MAX; i++) {
                const char *name = json_str(json_get(json_at(labels, i), "name"));
                if (name != NULL)
                        json_out_str(out, name);
        }
        json_out_array_end(out);
}

static void cut(struct strbuf *sb, size_t max)
{
        size_t len = utf8_cut(sb->buf, sb->len, max);
        strbuf_remove(sb, len, sb->len - len);
}

static void put_description(struct json_out *out, const struct json *item)
{
        struct strbuf text = STRBUF_INIT;
        const char *html = json_str(json_get(item, "description_html"));
        if (html == NULL)
                return;
        plane_text(&text, html);
        cut(&text, DESCRIPTION_BYTES_MAX);
        json_out_kstr(out, "description", text.buf);
        strbuf_deinit(&text);
}

void plane_read_item(struct json_out *out, const struct json *item)
{
        const struct json *state = json_get(item, "state");
        int64_t number = 0;
        put(out, "id", json_get(item, "id"));
        if (json_int(json_get(item, "sequence_id"), &number))
                json_out_kint(out, "number", number);
        put(out, "name", json_get(item, "name"));
        put_description(out, item);
        put(out, "state", json_type(state) == JSON_OBJECT ? json_get(state, "id") : state);
        put(out, "priority", json_get(item, "priority"));
        put_labels(out, json_get(item, "labels"));
        put(out, "updated_at", json_get(item, "updated_at"));
}

void plane_read_project(struct json_out *out, const struct json *project)
{
        static const char *const keys[] = {"id", "identifier", "name"};
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                json_out_kstr(out, keys[i], json_str(json_get(project, keys[i])));
}

void plane_read_state(struct json_out *out, const struct json *state)
{
        json_out_object(out);
        put(out, "id", json_get(state, "id"));
        put(out, "name", json_get(state, "name"));
        put(out, "group", json_get(state, "group"));
        json_out_object_end(out);
}

void plane_read_label(struct json_out *out, const struct json *label)
{
        json_out_object(out);
        put(out, "id", json_get(label, "id"));
        put(out, "name", json_get(label, "name"));
        json_out_object_end(out);
}

void plane_read_comment(struct json_out *out, const struct json *comment)
{
        struct strbuf text = STRBUF_INIT;
        const char *html = json_str(json_get(comment, "comment_html"));
        const char *source = json_str(json_get(comment, "external_source"));
        bool ours = source != NULL && strcmp(source, PLANE_SOURCE) == 0;
        /* what we have said is not read again */
        plane_text(&text, html != NULL && !ours ? html : "");
        cut(&text, COMMENT_BYTES_MAX);
        json_out_object(out);
        put(out, "id", json_get(comment, "id"));
        put(out, "actor", json_get(comment, "actor"));
        put(out, "at", json_get(comment, "created_at"));
        json_out_kstr(out, "text", text.buf);
        json_out_kbool(out, "ours", ours);
        json_out_object_end(out);
        strbuf_deinit(&text);
}

void plane_read_blocked_by(struct json_out *out, const struct json *relations)
{
        const struct json *list = json_get(relations, "blocked_by");
        json_out_array(out);
        for (size_t i = 0; i < json_len(list); i++) {
                const struct json *v = json_at(list, i);
                const char *item = json_str(v) != NULL ? json_str(v) : json_str(json_get(v, "issue_id"));
                if (item == NULL)
                        continue;
                json_out_object(out);
                put(out, "project", json_get(v, "project_id"));
                json_out_kstr(out, "item", item);
                json_out_object_end(out);
        }
        json_out_array_end(out);
}
