/* task_table.h - live tasks as a table or as lines: the view of `status` and of `watch`. */
#pragma once

#include <stdbool.h>

struct json;
struct strbuf;
struct term;

/* `tasks` is the array of status_snapshot(), or {"error": why it could not be made}. */
void task_table(const struct json *tasks, const struct term *term, struct strbuf *sb);
/* What a person would call the state of one task: stage, role, first reason. Without times, so that it
 * changes only when the task does. */
void task_line(const struct json *task, struct strbuf *sb);
/* Waits for a person: to decide, or because it was escalated. */
bool task_waits_for_person(const struct json *task);
