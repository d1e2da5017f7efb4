/* version_print.h - what --version says: the release, and the libraries of this program as built and as
 * loaded. */
#pragma once

struct strbuf;

void version_print(struct strbuf *sb, const char *program);
