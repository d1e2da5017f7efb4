/* roff.h - the pieces that manual pages are made of, in mdoc, with nothing of the text taken for markup. */
#pragma once

#include <stdbool.h>

struct strbuf;

/* Text in which nothing is taken for an escape, nor, in the line of a macro, for a quote around its
 * arguments. */
void roff_escaped(struct strbuf *sb, const char *s, bool in_macro);
/* A line of text; nothing in it is taken for a request. */
void roff_line(struct strbuf *sb, const char *s);
void roff_macro(struct strbuf *sb, const char *macro, const char *s);
/* Running text: short lines, and a new one for each sentence, from which roff makes its spacing. */
void roff_prose(struct strbuf *sb, const char *s);
