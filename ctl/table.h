/*
 * table.h - rows and columns as aligned text. Cells are cleaned (text.h); widths are counted in columns of a
 * terminal. When the table is wider than it may be, the widest of the columns marked `shrinks` gives way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/term.h"

struct strbuf;

struct table_column {
        const char *title;
        bool right;   /* numbers and times */
        bool shrinks; /* may be cut, down to its title or 8 columns */
};

struct table {
        const struct table_column *columns; /* borrowed */
        size_t n_columns;
        struct table_cell *cells; /* row by row */
        size_t n_cells;
};

void table_init(struct table *t, const struct table_column *columns, size_t n_columns);
void table_deinit(struct table *t);
/* The next cell, row by row. NULL shows as "-". Copies. */
void table_add(struct table *t, const char *text);
void table_add_style(struct table *t, const char *text, enum term_style style);
void table_add_int(struct table *t, int64_t n);
void table_add_duration(struct table *t, int64_t seconds);
size_t table_rows(const struct table *t);
/* Appends titles and rows; the last row must be complete. term->columns == 0: as wide as it is. */
void table_print(const struct table *t, const struct term *term, struct strbuf *sb);
