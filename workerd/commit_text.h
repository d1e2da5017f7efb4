/* commit_text.h - the pure parts of making a commit: its message, and which changes are refused. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/argv.h"
#include "common/strbuf.h"

/* "ROLE: ITEM TITLE", one line. */
void commit_text_subject(struct strbuf *sb, const char *role, const char *work_item, const char *title);
/* Subject, what was refused, trailers. */
void commit_text_message(struct strbuf *sb, const char *subject, const char *role, int64_t job, int64_t epoch,
                         const struct argv *refused);
/* Reads `git diff-index --raw -z` and collects what `role` may not change: the paths, and for update-index
 * the lines that bring the parent's state back (first what is to go, then what is to come back). A repository
 * that was added as a submodule is refused likewise, into `nested`. 0, or -EINVAL for what is not such a
 * list. */
int commit_text_refuse(const char *raw, size_t len, const char *role, const char *docs_dir,
                       struct argv *refused, struct argv *nested, struct strbuf *restore);
