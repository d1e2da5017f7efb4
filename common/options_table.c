/* options_table.c - options.def as an array, and finding in it. */
#include "common/options_table.h"

#include <string.h>

#include "common/mem.h"
#include "common/nearest.h"
#include "common/options.h"

#define ROW(t, n, field, d, lo, hi, flags, h)                                                                \
        {.type = (t),                                                                                        \
         .name = #n,                                                                                         \
         .def = (d),                                                                                         \
         .min = (lo),                                                                                        \
         .max = (hi),                                                                                        \
         .reloadable = ((flags)&OPTION_RELOAD) != 0,                                                         \
         .conninfo = ((flags)&OPTION_CONNINFO) != 0,                                                         \
         .help = (h),                                                                                        \
         .offset = offsetof(struct options, field)},

const struct option_row option_rows[] = {
#define OPT_GROUP(title)                       {.type = OPTION_HEADING, .name = (title)},
#define OPT_STRING(n, def, flags, help)        ROW(OPTION_STRING, n, n, def, 0, 0, flags, help)
#define OPT_INT(n, def, min, max, flags, help) ROW(OPTION_INT, n, n, #def, min, max, flags, help)
#define OPT_DURATION(n, def, min, max, flags, help)                                                          \
        ROW(OPTION_DURATION, n, n##_ms, def, min, max, flags, help)
#define OPT_SIZE(n, def, min, max, flags, help) ROW(OPTION_SIZE, n, n##_bytes, def, min, max, flags, help)
#define OPT_BOOL(n, def, flags, help)           ROW(OPTION_BOOL, n, n, #def, 0, 1, flags, help)
#include "common/options.def"
};

const size_t option_row_count = ARRAY_SIZE(option_rows);

const struct option_row *option_find(const char *name)
{
        for (size_t i = 0; i < option_row_count; i++)
                if (option_rows[i].type != OPTION_HEADING && strcmp(option_rows[i].name, name) == 0)
                        return &option_rows[i];
        return NULL;
}

const char *option_type_name(enum option_type type)
{
        static const char *const names[] = {
                [OPTION_HEADING] = "heading",   [OPTION_STRING] = "string", [OPTION_INT] = "integer",
                [OPTION_DURATION] = "duration", [OPTION_SIZE] = "size",     [OPTION_BOOL] = "boolean",
        };
        return names[type];
}

const char *options_nearest(const char *name)
{
        struct nearest best = NEAREST_INIT;
        for (size_t i = 0; i < option_row_count; i++)
                if (option_rows[i].type != OPTION_HEADING)
                        nearest_try(&best, name, option_rows[i].name);
        return best.name;
}
