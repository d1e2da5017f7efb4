/* task_file.h - writes task.md, which an agent gets on standard input. Foreign text stands in fences that it
 * cannot close. */
#pragma once

#include "common/err.h"
#include "common/strbuf.h"
#include "workerd/roles.h"
#include "workerd/run_info.h"

/* Pure. */
void task_file_format(struct strbuf *sb, const struct run_info *info, const struct role_step *step);
/* 0 or -errno. */
int task_file_write(const char *path, const struct run_info *info, const struct role_step *step,
                    struct errinfo *err);
