/* metric_rows.h - rows of the view orch.metric in the text format of Prometheus. */
#pragma once

#include <stdint.h>

struct db_result;
struct strbuf;

void metric_rows_print(struct strbuf *text, const struct db_result *res);
/* How long they hold from when they were asked for: until then no process shows newer ones. */
int64_t metric_rows_keep_ms(const struct db_result *res);
