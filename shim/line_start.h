/*
 * line_start.h - looks for lines that begin with a given text, in output that comes in pieces.
 *
 * How an agent says its result (watch.h starts the last of its clocks then). Only the beginning is looked at:
 * what the line says is for workerd to read, and to believe or not. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct line_start {
        const char *prefix; /* not empty, no newline; NULL: no line begins so */
        size_t matched;     /* of the prefix, in the line that has begun */
        bool other;         /* that line begins otherwise, or was found already */
};

/* Whether a line that begins so was begun in this piece. */
bool line_start_seen(struct line_start *l, const char *data, size_t len);
