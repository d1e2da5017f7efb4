/*
 * findings.h - what checks of an installation have found: collected, then printed. For orchctl doctor, and
 * for orchctl project add, which looks before it registers.
 *
 * A check looks and changes nothing. It says each thing that it finds, with how to mend it. It never ends the
 * whole: what it cannot look at is a finding, too.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct json_out;
struct strbuf;
struct term;

enum finding_level { FINDING_FINE = 0, FINDING_WARNING, FINDING_WRONG };

struct finding {
        const char *check; /* borrowed */
        enum finding_level level;
        char *subject; /* host, endpoint, file; "": the whole */
        char *says;
        char *mend; /* "": nothing to do */
};

struct findings {
        const char *check; /* that runs now: what is said belongs to it */
        struct finding *list;
        size_t n;
};

#define FINDINGS_INIT                                                                                        \
        {                                                                                                    \
                .check = ""                                                                                  \
        }

void findings_deinit(struct findings *f);
/* `mend` may be NULL: nothing is to be done. */
void findings_say(struct findings *f, enum finding_level level, const char *subject, const char *mend,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void findings_vsay(struct findings *f, enum finding_level level, const char *subject, const char *mend,
                   const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));
size_t findings_count(const struct findings *f, enum finding_level level);

const char *finding_level_name(enum finding_level level); /* "fine", "warning", "wrong" */
/* A line or two for each from the one at `from` on; those of a check stand together. */
void findings_print(const struct findings *f, size_t from, const struct term *term, struct strbuf *sb);
/* The members "wrong", "warnings" and "findings" into the open object. */
void findings_json(const struct findings *f, struct json_out *j);
