/*
 * options.h - every option of every program, from the one table options.def.
 *
 * default < file < environment (ORCH_NAME) < flag (--name=value, --name value). An unknown key is an error
 * that names its line and the nearest known name. The result is one immutable struct; a reload parses a new
 * one and swaps only if it is valid. Secrets come by file, so no option holds one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* Durations are kept in ms, sizes in bytes; the file writes "10s", "5m", "4MiB", never a bare number. */
struct options {
#define OPT_STRING(name, def, flags, help)             const char *name;
#define OPT_INT(name, def, min, max, flags, help)      int64_t name;
#define OPT_DURATION(name, def, min, max, flags, help) int64_t name##_ms;
#define OPT_SIZE(name, def, min, max, flags, help)     int64_t name##_bytes;
#define OPT_BOOL(name, def, flags, help)               bool name;
#include "common/options.def"
#undef OPT_STRING
#undef OPT_INT
#undef OPT_DURATION
#undef OPT_SIZE
#undef OPT_BOOL
};

enum option_flags {
        OPTION_RESTART = 0,  /* needs a restart; a reload that finds a change says so and keeps the value */
        OPTION_RELOAD = 1,   /* takes effect at SIGHUP */
        OPTION_CONNINFO = 2, /* a connection string: it is shown without its passwords */
};

enum options_outcome {
        OPTIONS_OK = 0,
        OPTIONS_INVALID = 1, /* err says which line, key and why */
        OPTIONS_DONE = 2,    /* --help, --version, --check-config, --dump-config: printed; exit 0 */
};

/*
 * A line of the file is `name = value`; blank lines, and what follows a # at the start of a line or after a
 * blank, do not count. A value in '...' or "..." may hold anything; within "..." a backslash stands before "
 * and \\.
 *
 * Parses a daemon's command line: --config FILE, the table's flags, and the four verbs above. Environment
 * ORCH_CONFIG names the file when no flag does. `program` and `summary` head the help. */
int options_load(int argc, char *const *argv, const char *program, const char *summary, struct options **ret,
                 struct errinfo *err);
/* Parses the same sources again. In the result, OPTION_RESTART options have the value of `old`; what was
 * ignored by that is remembered for options_log_ignored_changes(). */
int options_reload(const struct options *old, struct options **ret, struct errinfo *err);
/* One file and the environment only: for orchctl, whose command line is its own. path may be NULL. */
int options_load_file(const char *path, struct options **ret, struct errinfo *err);
void options_free(struct options *o);
/* How long after freeze_after a shim may take to say that its agent stands still, before its worker kills it:
 * a quarter of what is left until takeover_after, when others begin. */
int64_t options_freeze_doubt_ms(const struct options *o);
/* The options that a role of agents has to itself: command and adapter; "" is as agent_command,
 * agent_adapter. */
struct options_role {
        const char *role, *command, *adapter;
};
#define OPTIONS_ROLES 6
void options_roles(const struct options *o, struct options_role ret[OPTIONS_ROLES]);
/* Logs a warning for each OPTION_RESTART option that differs. Returns how many. */
int options_log_ignored_changes(const struct options *running, const struct options *next);

/* Walks the table: for --dump-config, orchctl config, man pages and tests. `value` is as the file would write
 * it, `origin` "default", "file:LINE", "environment" or "flag". */
struct option_info {
        const char *name, *type, *def, *value, *origin, *help;
        const char *group;     /* title of the part of the help it stands in */
        const char *min, *max; /* with units; NULL: strings and booleans have none */
        bool reloadable;
};
typedef void options_visit_fn(void *arg, const struct option_info *info);
/* `o` may be NULL: every option then has its default. */
void options_visit(const struct options *o, options_visit_fn *fn, void *arg);
/* The nearest known name within a small edit distance, or NULL. */
const char *options_nearest(const char *name);
/* "1500ms", "10s", "5m", "1h", "7d"; "1024B", "64KiB", "4MiB", "1GiB": whole, one unit. 0 or -EINVAL. */
int options_parse_duration(const char *s, int64_t *ret_ms);
int options_parse_size(const char *s, int64_t *ret_bytes);
