/* options_visit.c - the walk over all options with their values, for whoever prints them. */
#include "common/options.h"

#include "common/mem.h"
#include "common/options_table.h"
#include "common/strbuf.h"

static void visit_one(const struct options *o, const struct option_row *row, const char *group,
                      options_visit_fn *fn, void *arg)
{
        _cleanup_(strbuf_deinit) struct strbuf value = STRBUF_INIT, min = STRBUF_INIT, max = STRBUF_INIT;
        bool limited = row->type == OPTION_INT || row->type == OPTION_DURATION || row->type == OPTION_SIZE;
        struct option_value v = option_value_get(o, row);
        option_value_show(row, &v, &value);
        option_value_format(row->type, &(struct option_value){.text = "", .number = row->min}, &min);
        option_value_format(row->type, &(struct option_value){.text = "", .number = row->max}, &max);
        const struct option_info info = {
                .name = row->name,
                .type = option_type_name(row->type),
                .def = row->def,
                .value = value.buf,
                .origin = options_origin(o, row),
                .help = row->help,
                .group = group,
                .min = limited ? min.buf : NULL,
                .max = limited ? max.buf : NULL,
                .reloadable = row->reloadable,
        };
        fn(arg, &info);
}

static void options_freep(struct options **o)
{
        options_free(*o);
}

void options_visit(const struct options *o, options_visit_fn *fn, void *arg)
{
        _cleanup_(options_freep) struct options *defaults = o == NULL ? options_defaults() : NULL;
        const char *group = "";
        for (size_t i = 0; i < option_row_count; i++) {
                if (option_rows[i].type == OPTION_HEADING)
                        group = option_rows[i].name;
                else
                        visit_one(o != NULL ? o : defaults, &option_rows[i], group, fn, arg);
        }
}
