/* task_file.h - writes task.md, which an agent gets on standard input. Foreign text stands in fences that it
 * cannot close. */
#pragma once

#include "common/err.h"
#include "common/strbuf.h"
#include "workerd/roles.h"
#include "workerd/run_info.h"

/* Pure. */
void task_file_format(struct strbuf *sb, const struct run_info *info, const struct role_step *step);
/* Pure. For an agent that goes on with a session: why, and what is new; not the whole task again. */
void task_file_format_continued(struct strbuf *sb, const char *task_file, const struct run_info *info);
int task_file_write_continued(const char *path, const char *task_file, const struct run_info *info,
                              struct errinfo *err);
/* 0 or -errno. */
int task_file_write(const char *path, const struct run_info *info, const struct role_step *step,
                    struct errinfo *err);
