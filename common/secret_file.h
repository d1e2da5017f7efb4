/*
 * secret_file.h - reads a file that holds a secret, when nobody else can read or write it.
 */
#pragma once

#include "common/err.h"

#define SECRET_LINE_BYTES_MAX 1024

/* The first line of the file, without blanks around it: printable ASCII, not empty, at most
 * SECRET_LINE_BYTES_MAX bytes. `what` names it in errors ("token"). 0 and *ret_line (wipe and free it), or
 * -errno with the reason in `err`; -EPERM: somebody else may read or write it; -EILSEQ: there is no such
 * line in it. The secret itself is in no error. */
int secret_file_line(const char *path, const char *what, char **ret_line, struct errinfo *err);
