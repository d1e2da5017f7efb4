/* bytea.h - bytes out of PostgreSQL's text form of bytea ("\x" and hex digits). */
#pragma once

struct strbuf;

/* Appends the bytes. NULL, and what is not hex, add nothing: the server sends nothing else. Pure. */
void bytea_decode(struct strbuf *sb, const char *text);
