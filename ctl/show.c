/* show.c - from JSON to standard output. */
#include "ctl/show.h"

#include <string.h>

#include "common/json_read.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/ctl.h"
#include "ctl/pg.h"
#include "ctl/text.h"

/* It comes from our own functions; the limits are against a runaway, not an enemy. */
static const struct json_limits limits = {.max_bytes = 256u << 20,
                                          .max_depth = 64,
                                          .max_values = 4000000,
                                          .max_key_bytes = 1024,
                                          .max_string_bytes = 16u << 20};

int show_parse(const struct strbuf *json, struct json_doc **ret_doc)
{
        struct errinfo err = ERRINFO_INIT;
        if (json_parse(json->buf, json->len, &limits, ret_doc, &err) == 0)
                return EXIT_OK;
        return ctl_fail(EXIT_FAILED, "the database answered with a document that cannot be read: %s",
                        err.text);
}

int show_text(struct ctl *c, const struct strbuf *json, show_render_fn *render)
{
        _cleanup_(strbuf_deinit) struct strbuf out = STRBUF_INIT;
        struct json_doc *doc = NULL;
        if (c->json) {
                strbuf_add(&out, json->buf, json->len);
                strbuf_addch(&out, '\n');
                return ctl_print(&out);
        }
        int code = show_parse(json, &doc);
        if (code != EXIT_OK)
                return code;
        render(json_root(doc), &c->term, &out);
        json_doc_free(doc);
        return ctl_print(&out);
}

int show_document(struct ctl *c, const struct db_statement *st, const char *const *params,
                  show_render_fn *render)
{
        _cleanup_(strbuf_deinit) struct strbuf json = STRBUF_INIT;
        int code = ctl_pg(c);
        if (code == EXIT_OK)
                code = pg_json(c->pg, st, params, &json);
        return code == EXIT_OK ? show_text(c, &json, render) : code;
}

static void add_cell(struct table *t, const struct json *v)
{
        _cleanup_(strbuf_deinit) struct strbuf clock = STRBUF_INIT;
        bool yes = false;
        switch (json_type(v)) {
        case JSON_STRING:
                if (text_time(json_str(v)) >= 0)
                        text_clock(&clock, json_str(v));
                table_add(t, clock.len > 0 ? clock.buf : json_str(v));
                return;
        case JSON_BOOL:
                (void)json_bool(v, &yes); /* it is one */
                table_add(t, yes ? "yes" : "no");
                return;
        case JSON_NUMBER:
                table_add(t, json_number_text(v));
                return;
        case JSON_NULL:
        case JSON_ARRAY:
        case JSON_OBJECT:
                break;
        }
        table_add(t, NULL);
}

void show_rows(const struct json *rows, const struct show_column *columns, size_t n_columns,
               const struct term *term, struct strbuf *sb)
{
        _cleanup_(freep) struct table_column *titles = xcalloc(n_columns, sizeof(*titles));
        struct table t;
        for (size_t k = 0; k < n_columns; k++)
                titles[k] = columns[k].column;
        table_init(&t, titles, n_columns);
        for (size_t i = 0; i < json_len(rows); i++)
                for (size_t k = 0; k < n_columns; k++)
                        add_cell(&t, json_get(json_at(rows, i), columns[k].key));
        table_print(&t, term, sb);
        table_deinit(&t);
}

const char *show_str(const struct json *object, const char *key)
{
        const char *s = json_str(json_get(object, key));
        return s != NULL ? s : "";
}

void show_form(struct strbuf *sb, const char *form, const struct json *doc)
{
        const char *open;
        for (; (open = strchr(form, '{')) != NULL; form = open + strcspn(open, "}") + 1) {
                _cleanup_(freep) char *key = xstrndup(open + 1, strcspn(open + 1, "}"));
                strbuf_add(sb, form, (size_t)(open - form));
                text_clean(sb, show_str(doc, key));
        }
        strbuf_addstr(sb, form);
}

void show_message(const struct json *doc, const struct term *term, struct strbuf *sb)
{
        (void)term;
        show_form(sb, "{message}\n", doc);
}
