/* doc_file.h - writes one document of ours into a work tree whose contents are not ours. */
#pragma once

#include "common/err.h"

/* Writes `text` as TREE/PATH, making folders that are missing. Nothing on the way may be a symbolic link: the
 * tree's author must not choose where we write. What was there under that name is replaced. 0, or -errno with
 * the reason. */
int doc_file_write(const char *tree, const char *path, const char *text, struct errinfo *err);
