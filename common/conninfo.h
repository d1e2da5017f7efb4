/*
 * conninfo.h - a connection string as people may see it: in dumps, logs and errors. Pure, and not libpq's
 * business: the supervisor shows options, too, and knows no database.
 */
#pragma once

struct strbuf;

/* Appends it with "***" in the place of each password. What cannot be understood is taken for a part of one.
 */
void conninfo_show(const char *conninfo, struct strbuf *sb);
/* What to say of a string that libpq refuses: its reason (NULL: it had none), unless there is something to
 * hide, because the reason quotes the string. */
const char *conninfo_reason(const char *conninfo, const char *reason);
