/* term.h - what the terminal behind standard output can do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct term {
        bool tty;       /* standard output is a terminal */
        bool color;     /* a terminal, and neither NO_COLOR, --no-color nor TERM=dumb forbids it */
        size_t columns; /* 0: not a terminal, lines are as long as they are */
        size_t rows;
};

enum term_style { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_RED, TERM_GREEN, TERM_YELLOW, TERM_CYAN };

void term_init(struct term *t, bool no_color);
/* Asks for the size again: the window may have changed. */
void term_measure(struct term *t);
/* The sequence that starts a style; "" without colours. TERM_PLAIN ends every style. */
const char *term_style(const struct term *t, enum term_style style);
