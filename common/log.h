/*
 * log.h - one logfmt line on stderr per event: ts level daemon pid event=... and then the fields given.
 *
 *     log_info(EV("job.claimed"), LF_I("job", id), LF_S("role", role));
 *
 * The event is a stable dotted name (catalogue: docs/log-events.md). Values are quoted when they need it;
 * newlines, quotes, control bytes and invalid UTF-8 are escaped, so one event is always one line.
 *
 * error: somebody must act. warning: odd, but handled. info: life events. debug: the rest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOGL_ERROR, LOGL_WARNING, LOGL_INFO, LOGL_DEBUG };

struct log_field {
        const char *key;
        const char *str; /* NULL: the value is `num` */
        int64_t num;
        bool if_set; /* an empty string is not worth a field */
};

/* One field, one line: clang-format would take four for each. */
/* clang-format off */
#define EV(name)    {.key = "event", .str = (name)}
#define LF_S(k, s)  {.key = (k), .str = (s) != NULL ? (s) : ""}
#define LF_I(k, n)  {.key = (k), .str = NULL, .num = (int64_t)(n)}
#define LF_ERR(e)   {.key = "error", .str = (e)->text}, {.key = "code", .str = (e)->code, .if_set = true}
#define LF_ERRNO(r) {.key = "error", .str = log_errno_text(r)}
/* clang-format on */

void log_init(const char *daemon_name, enum log_level max_level); /* borrows the name */
void log_set_level(enum log_level max_level);
int log_level_parse(const char *name, enum log_level *ret_level); /* 0 or -EINVAL */
void log_write(enum log_level level, const struct log_field *fields, size_t n);
/* Text for an errno given with either sign; valid until the next call. */
const char *log_errno_text(int r);
/* Appends " key=value" as the log would print it (also used by tests and by orchctl). */
struct strbuf;
void log_format_field(struct strbuf *sb, const struct log_field *field);

#define LOG_AT_(level, ...)                                                                                  \
        log_write((level), (const struct log_field[]){__VA_ARGS__},                                          \
                  sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_error(...)   LOG_AT_(LOGL_ERROR, __VA_ARGS__)
#define log_warning(...) LOG_AT_(LOGL_WARNING, __VA_ARGS__)
#define log_info(...)    LOG_AT_(LOGL_INFO, __VA_ARGS__)
#define log_debug(...)   LOG_AT_(LOGL_DEBUG, __VA_ARGS__)
