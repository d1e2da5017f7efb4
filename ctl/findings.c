/* findings.c - see findings.h. */
#include "ctl/findings.h"

#include <stdlib.h>

#include "common/json_write.h"
#include "common/mem.h"
#include "common/strbuf.h"
#include "ctl/term.h"
#include "ctl/text.h"

#define LEVEL_COLUMNS 9
#define CHECK_COLUMNS 15

void findings_deinit(struct findings *f)
{
        for (size_t i = 0; i < f->n; i++) {
                free(f->list[i].subject);
                free(f->list[i].says);
                free(f->list[i].mend);
        }
        free(f->list);
        *f = (struct findings)FINDINGS_INIT;
}

void findings_vsay(struct findings *f, enum finding_level level, const char *subject, const char *mend,
                   const char *fmt, va_list ap)
{
        struct strbuf says = STRBUF_INIT;
        strbuf_vaddf(&says, fmt, ap);
        f->list = xrealloc(f->list, (f->n + 1) * sizeof(*f->list));
        f->list[f->n++] = (struct finding){.check = f->check,
                                           .level = level,
                                           .subject = xstrdup(subject),
                                           .says = strbuf_take(&says),
                                           .mend = xstrdup(mend != NULL ? mend : "")};
}

void findings_say(struct findings *f, enum finding_level level, const char *subject, const char *mend,
                  const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        findings_vsay(f, level, subject, mend, fmt, ap);
        va_end(ap);
}

size_t findings_count(const struct findings *f, enum finding_level level)
{
        size_t n = 0;
        for (size_t i = 0; i < f->n; i++)
                n += f->list[i].level == level;
        return n;
}

const char *finding_level_name(enum finding_level level)
{
        static const char *const names[] = {
                [FINDING_FINE] = "fine", [FINDING_WARNING] = "warning", [FINDING_WRONG] = "wrong"};
        return names[level];
}

static void put_padded(struct strbuf *sb, const char *text, size_t columns)
{
        strbuf_addstr(sb, text);
        text_pad(sb, text_width(text) < columns ? columns - text_width(text) : 1);
}

static void print_one(const struct finding *x, const struct term *term, struct strbuf *sb)
{
        static const enum term_style styles[] = {
                [FINDING_FINE] = TERM_GREEN, [FINDING_WARNING] = TERM_YELLOW, [FINDING_WRONG] = TERM_RED};
        static const char *const words[] = {
                [FINDING_FINE] = "ok", [FINDING_WARNING] = "warning", [FINDING_WRONG] = "WRONG"};
        strbuf_addstr(sb, term_style(term, styles[x->level]));
        put_padded(sb, words[x->level], LEVEL_COLUMNS);
        strbuf_addstr(sb, term_style(term, TERM_PLAIN));
        put_padded(sb, x->check, CHECK_COLUMNS);
        if (x->subject[0] != '\0') {
                text_clean(sb, x->subject);
                strbuf_addstr(sb, ": ");
        }
        text_clean(sb, x->says);
        strbuf_addch(sb, '\n');
        if (x->mend[0] != '\0') {
                text_pad(sb, LEVEL_COLUMNS + CHECK_COLUMNS);
                strbuf_addstr(sb, "-> ");
                text_clean(sb, x->mend);
                strbuf_addch(sb, '\n');
        }
}

void findings_print(const struct findings *f, size_t from, const struct term *term, struct strbuf *sb)
{
        for (size_t i = from; i < f->n; i++)
                print_one(&f->list[i], term, sb);
}

void findings_json(const struct findings *f, struct json_out *j)
{
        json_out_kint(j, "wrong", (int64_t)findings_count(f, FINDING_WRONG));
        json_out_kint(j, "warnings", (int64_t)findings_count(f, FINDING_WARNING));
        json_out_key(j, "findings");
        json_out_array(j);
        for (size_t i = 0; i < f->n; i++) {
                const struct finding *x = &f->list[i];
                json_out_object(j);
                json_out_kstr(j, "check", x->check);
                json_out_kstr(j, "level", finding_level_name(x->level));
                json_out_kstr(j, "subject", x->subject[0] != '\0' ? x->subject : NULL);
                json_out_kstr(j, "says", x->says);
                json_out_kstr(j, "mend", x->mend[0] != '\0' ? x->mend : NULL);
                json_out_object_end(j);
        }
        json_out_array_end(j);
}
