/*
 * text.h - text for people: how wide it is on a terminal, made safe to print there, cut and padded;
 * durations.
 *
 * Titles, reasons and logs come from outside. What could move the cursor or turn the direction of writing
 * never reaches a terminal: text_clean() and all that is built on it replace control characters.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* Once, before anything here: widths need a UTF-8 character table whatever the user's locale is. */
void text_init(void);
/* Columns that the cleaned text takes. */
size_t text_width(const char *s);
/* Appends `s` as one line: blanks for newlines and tabs, U+FFFD for control characters and invalid bytes. */
void text_clean(struct strbuf *sb, const char *s);
/* Appends the cleaned text, cut to `width` columns (the last of them is then an ellipsis). Returns its
 * columns. */
size_t text_fit(struct strbuf *sb, const char *s, size_t width);
void text_pad(struct strbuf *sb, size_t columns);
/* Appends paragraphs (apart by an empty line) broken at `width`, each line behind `indent` blanks. Lines that
 * open with a blank stay as they are. */
void text_wrap(struct strbuf *sb, const char *s, size_t indent, size_t width);
/* Bytes of a log for a terminal: newlines, tabs and valid UTF-8 stay, other control characters show as ^X. */
void text_log(struct strbuf *sb, const char *data, size_t len);
/* Seconds since 1970 of an ISO 8601 time in UTC as PostgreSQL writes it in JSON; -1 when it is none. */
int64_t text_time(const char *iso);
/* The same time as "2026-11-20 09:42:11". */
void text_clock(struct strbuf *sb, const char *iso);
/* "8s", "12m 03s", "3h 04m", "2d 05h"; negative counts as 0. */
void text_duration(struct strbuf *sb, int64_t seconds);
