/*
 * secret_file.h - reads a file that holds secrets, when nobody else can read or write it.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define SECRET_LINE_BYTES_MAX 1024

/* The first line of the file, without blanks around it: printable ASCII, not empty, at most
 * SECRET_LINE_BYTES_MAX bytes. `what` names it in errors ("token"). 0 and *ret_line (wipe and free it), or
 * -errno with the reason in `err`; -EPERM: somebody else may read or write it; -EILSEQ: there is no such
 * line in it. The secret itself is in no error. */
int secret_file_line(const char *path, const char *what, char **ret_line, struct errinfo *err);

/* For what has another form. Whether nobody but us and root can write or read the file that is open: 0, or
 * -errno as above. */
int secret_file_check(int fd, const char *path, const char *what, struct errinfo *err);
/* Into memory that the caller has, and wipes: what grows leaves copies behind. Bytes read, at most `size`, or
 * -errno; fewer than `size`: that was all. */
ssize_t secret_file_read(int fd, char *buf, size_t size);
