/* table.c - layout of tables. */
#include "ctl/table.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/text.h"

#define GAP          2 /* blanks between two columns */
#define SHRUNK_LEAST 8

struct table_cell {
        char *text;
        enum term_style style;
};

void table_init(struct table *t, const struct table_column *columns, size_t n_columns)
{
        *t = (struct table){.columns = columns, .n_columns = n_columns};
}

void table_deinit(struct table *t)
{
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i].text);
        free(t->cells);
        t->cells = NULL;
        t->n_cells = 0;
}

void table_add_style(struct table *t, const char *text, enum term_style style)
{
        t->cells = xrealloc(t->cells, (t->n_cells + 1) * sizeof(*t->cells));
        t->cells[t->n_cells++] =
                (struct table_cell){xstrdup(text != NULL && *text != '\0' ? text : "-"), style};
}

void table_add(struct table *t, const char *text)
{
        table_add_style(t, text, TERM_PLAIN);
}

void table_add_int(struct table *t, int64_t n)
{
        _cleanup_(freep) char *text = xasprintf("%lld", (long long)n);
        table_add(t, text);
}

void table_add_duration(struct table *t, int64_t seconds)
{
        _cleanup_(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
        text_duration(&sb, seconds);
        table_add(t, sb.buf);
}

size_t table_rows(const struct table *t)
{
        return t->n_cells / t->n_columns;
}

static size_t total_width(const struct table *t, const size_t *widths)
{
        size_t total = (t->n_columns - 1) * GAP;
        for (size_t c = 0; c < t->n_columns; c++)
                total += widths[c];
        return total;
}

static size_t least_width(const struct table_column *column)
{
        size_t title = text_width(column->title);
        return title > SHRUNK_LEAST ? title : SHRUNK_LEAST;
}

/* The widest column that can still give way, or n_columns. */
static size_t widest_shrinking(const struct table *t, const size_t *widths)
{
        size_t best = t->n_columns;
        for (size_t c = 0; c < t->n_columns; c++) {
                bool can = t->columns[c].shrinks && widths[c] > least_width(&t->columns[c]);
                if (can && (best == t->n_columns || widths[c] > widths[best]))
                        best = c;
        }
        return best;
}

static void fit_widths(const struct table *t, size_t *widths, size_t limit)
{
        for (size_t c = 0; c < t->n_columns; c++)
                widths[c] = text_width(t->columns[c].title);
        for (size_t i = 0; i < t->n_cells; i++) {
                size_t w = text_width(t->cells[i].text), c = i % t->n_columns;
                widths[c] = w > widths[c] ? w : widths[c];
        }
        while (limit > 0 && total_width(t, widths) > limit) {
                size_t c = widest_shrinking(t, widths);
                if (c == t->n_columns)
                        return;
                widths[c]--;
        }
}

static void print_cell(const struct table_column *column, const char *text, size_t width, bool last,
                       struct strbuf *sb)
{
        _cleanup_(strbuf_deinit) struct strbuf fitted = STRBUF_INIT;
        size_t used = text_fit(&fitted, text, width);
        if (column->right)
                text_pad(sb, width - used);
        strbuf_add(sb, fitted.buf, fitted.len);
        if (!column->right && !last)
                text_pad(sb, width - used);
        if (!last)
                text_pad(sb, GAP);
}

static void print_styled(const struct term *term, enum term_style style, const struct table_column *column,
                         const char *text, size_t width, bool last, struct strbuf *sb)
{
        if (style != TERM_PLAIN)
                strbuf_addstr(sb, term_style(term, style));
        print_cell(column, text, width, last, sb);
        if (style != TERM_PLAIN)
                strbuf_addstr(sb, term_style(term, TERM_PLAIN));
}

void table_print(const struct table *t, const struct term *term, struct strbuf *sb)
{
        assert(t->n_cells % t->n_columns == 0);
        _cleanup_(freep) size_t *widths = xcalloc(t->n_columns, sizeof(*widths));
        fit_widths(t, widths, term->columns);
        for (size_t c = 0; c < t->n_columns; c++)
                print_styled(term, TERM_BOLD, &t->columns[c], t->columns[c].title, widths[c],
                             c + 1 == t->n_columns, sb);
        strbuf_addch(sb, '\n');
        for (size_t i = 0; i < t->n_cells; i++) {
                size_t c = i % t->n_columns;
                bool last = c + 1 == t->n_columns;
                print_styled(term, t->cells[i].style, &t->columns[c], t->cells[i].text, widths[c], last, sb);
                if (last)
                        strbuf_addch(sb, '\n');
        }
}
