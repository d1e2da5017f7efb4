/* term.c - asking the terminal. */
#include "ctl/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool colors_refused(void)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
        return (no_color != NULL && *no_color != '\0') || (term != NULL && strcmp(term, "dumb") == 0);
}

void term_init(struct term *t, bool no_color)
{
        t->tty = isatty(STDOUT_FILENO) == 1;
        t->color = t->tty && !no_color && !colors_refused();
        term_measure(t);
}

void term_measure(struct term *t)
{
        struct winsize size = {0};
        t->columns = t->rows = 0;
        if (!t->tty)
                return;
        bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
        t->columns = known && size.ws_col > 0 ? size.ws_col : 80;
        t->rows = known && size.ws_row > 0 ? size.ws_row : 24;
}

const char *term_style(const struct term *t, enum term_style style)
{
        static const char *const sequences[] = {
                [TERM_PLAIN] = "\033[0m", [TERM_BOLD] = "\033[1m",   [TERM_DIM] = "\033[2m",
                [TERM_RED] = "\033[31m",  [TERM_GREEN] = "\033[32m", [TERM_YELLOW] = "\033[33m",
                [TERM_CYAN] = "\033[36m",
        };
        return t->color ? sequences[style] : "";
}
