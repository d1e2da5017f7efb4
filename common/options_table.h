/*
 * options_table.h - options.def as a table, and the values of its types as text. Shared by options*.c only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/argv.h"

struct errinfo;
struct options;
struct strbuf;

enum option_type { OPTION_HEADING, OPTION_STRING, OPTION_INT, OPTION_DURATION, OPTION_SIZE, OPTION_BOOL };

struct option_row {
        enum option_type type;
        const char *name; /* of a heading: its title */
        const char *def;
        int64_t min, max;
        bool reloadable;
        bool conninfo;
        const char *help;
        size_t offset; /* of the field in struct options */
};

extern const struct option_row option_rows[];
extern const size_t option_row_count;

/* The row of an option, or NULL. Headings have no name to be found by. */
const struct option_row *option_find(const char *name);
const char *option_type_name(enum option_type type);

struct option_value {
        const char *text; /* of a string; borrowed */
        int64_t number;   /* of everything else; a boolean is 0 or 1 */
};

/* 0, or -EINVAL with the reason in `err` (without the option's name: the caller knows where the text stood).
 */
int option_value_parse(const struct option_row *row, const char *text, struct option_value *ret,
                       struct errinfo *err);
/* Appends the value as the file would write it. */
void option_value_format(enum option_type type, const struct option_value *v, struct strbuf *sb);
/* The same, without what nobody is to see. */
void option_value_show(const struct option_row *row, const struct option_value *v, struct strbuf *sb);
bool option_value_equal(enum option_type type, const struct option_value *a, const struct option_value *b);
void option_value_put(struct options *o, const struct option_row *row, const struct option_value *v);
struct option_value option_value_get(const struct options *o, const struct option_row *row);

/* Calls fn for each setting of a configuration text. 0, or -EINVAL with line and reason in `err`, or what fn
 * gave. */
typedef int option_setting_fn(void *arg, unsigned line, const char *name, const char *value,
                              struct errinfo *err);
int options_file_parse(const char *text, size_t len, option_setting_fn *fn, void *arg, struct errinfo *err);

/* Each verb outranks those before it, when several are given. */
enum options_verb {
        OPTIONS_VERB_RUN,
        OPTIONS_VERB_CHECK,
        OPTIONS_VERB_DUMP,
        OPTIONS_VERB_HELP,
        OPTIONS_VERB_VERSION,
};

struct options_cli {
        enum options_verb verb;
        const char *path;  /* of --config; borrowed from the command line */
        struct argv flags; /* name, value, name, value, ... with underscores; not looked up yet */
};

/* 0, or -EINVAL with the reason in `err`. */
int options_cli_parse(int argc, char *const *argv, struct options_cli *c, struct errinfo *err);
void options_cli_deinit(struct options_cli *c);

/* Rules that one option's type and limits cannot say. 0 or -EINVAL. */
int options_check(const struct options *o, struct errinfo *err);

const char *options_origin(const struct options *o, const struct option_row *row);
/* As if there were no file, environment or flag. */
struct options *options_defaults(void);

/* What the verbs of the command line print. 0 or -errno. */
int options_print_help(const char *program, const char *summary);
int options_print_config(const struct options *o);
int options_print_version(const char *program);
