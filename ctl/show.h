/* show.h - a document from the database, as it is (--json) or rendered for people. */
#pragma once

#include <stddef.h>

#include "ctl/table.h"

struct ctl;
struct db_statement;
struct json;
struct json_doc;
struct strbuf;
struct term;

typedef void show_render_fn(const struct json *doc, const struct term *term, struct strbuf *sb);

/* Connects as the operator, runs the statement, prints the JSON in its first cell. Returns the exit code. */
int show_document(struct ctl *c, const struct db_statement *st, const char *const *params,
                  show_render_fn *render);
/* The same for a document that is here already. */
int show_text(struct ctl *c, const struct strbuf *json, show_render_fn *render);
/* Parses a document of ours; the caller frees it. */
int show_parse(const struct strbuf *json, struct json_doc **ret_doc);
/* Renders one line: the member "message" of an operator function's answer. */
show_render_fn show_message;
/* A column of show_rows(): the member of each row that it shows. */
struct show_column {
        const char *key;
        struct table_column column;
};
/* Appends an array of objects as a table: times as clocks, booleans as yes and no, what is null as "-". */
void show_rows(const struct json *rows, const struct show_column *columns, size_t n_columns,
               const struct term *term, struct strbuf *sb);
/* Appends `form`, with the string member for each "{key}" in it, cleaned. */
void show_form(struct strbuf *sb, const char *form, const struct json *doc);
/* A string member or "" when it is absent. */
const char *show_str(const struct json *object, const char *key);
