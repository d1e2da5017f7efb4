/* metric_rows.h - rows of the view orch.metric in the text format of Prometheus. */
#pragma once

struct db_result;
struct strbuf;

void metric_rows_print(struct strbuf *text, const struct db_result *res);
