/* argv.c - command lines as arrays, and the reader of configured commands. */
#include "common/argv.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/strbuf.h"

static void add_taken(struct argv *a, char *word)
{
        a->words = xrealloc(a->words, (a->n + 2) * sizeof(*a->words));
        a->words[a->n++] = word;
        a->words[a->n] = NULL;
}

void argv_add(struct argv *a, const char *word)
{
        add_taken(a, xstrdup(word));
}

void argv_addf(struct argv *a, const char *fmt, ...)
{
        struct strbuf word = STRBUF_INIT;
        va_list ap;
        va_start(ap, fmt);
        strbuf_vaddf(&word, fmt, ap);
        va_end(ap);
        add_taken(a, strbuf_take(&word));
}

void argv_env(struct argv *a, const char *name, const char *value)
{
        assert(name[0] != '\0' && strchr(name, '=') == NULL);
        argv_addf(a, "%s=%s", name, value);
}

static void truncate_to(struct argv *a, size_t n)
{
        while (a->n > n) {
                free(a->words[--a->n]);
                a->words[a->n] = NULL;
        }
}

void argv_deinit(struct argv *a)
{
        truncate_to(a, 0);
        free(a->words);
        *a = (struct argv)ARGV_INIT;
}

void argv_wipe(struct argv *a)
{
        for (size_t i = 0; i < a->n; i++)
                explicit_bzero(a->words[i], strlen(a->words[i]));
        argv_deinit(a);
}

static const char *skip_blanks(const char *p)
{
        return p + strspn(p, " \t\r\n");
}

/* Reads a quoted part, from its opening quote. Returns the place after its closing quote, or NULL: there is
 * none. Within '...' every byte stands for itself; within "..." a backslash takes away the meaning of " and
 * of itself. */
static const char *read_quoted(const char *p, struct strbuf *word)
{
        char quote = *p++;
        for (; *p != quote; p++) {
                if (*p == '\0')
                        return NULL;
                if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
                        p++;
                strbuf_addch(word, *p);
        }
        return p + 1;
}

/* Reads one word. Returns the place after it, or NULL with the reason in `err`. */
static const char *read_word(const char *p, struct strbuf *word, struct errinfo *err)
{
        while (*p != '\0' && strchr(" \t\r\n", *p) == NULL) {
                if (*p == '\'' || *p == '"') {
                        char quote = *p;
                        p = read_quoted(p, word);
                        if (p == NULL) {
                                err_set(err, NULL, "a %c has no closing %c", quote, quote);
                                return NULL;
                        }
                        continue;
                }
                if (*p == '\\' && *++p == '\0') {
                        err_set(err, NULL, "nothing follows the last backslash");
                        return NULL;
                }
                strbuf_addch(word, *p++);
        }
        return p;
}

int argv_split(struct argv *a, const char *line, struct errinfo *err)
{
        size_t before = a->n;
        for (const char *p = skip_blanks(line); *p != '\0'; p = skip_blanks(p)) {
                _cleanup_(strbuf_deinit) struct strbuf word = STRBUF_INIT;
                p = read_word(p, &word, err);
                if (p == NULL) {
                        truncate_to(a, before);
                        return -EINVAL;
                }
                add_taken(a, strbuf_take(&word));
        }
        if (a->n == before) {
                err_set(err, NULL, "the command is empty");
                return -EINVAL;
        }
        return 0;
}
