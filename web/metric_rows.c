/* metric_rows.c - see metric_rows.h. The rows of one name stand together, so that each family is announced
 * once. */
#include "web/metric_rows.h"

#include <string.h>

#include "common/db.h"
#include "common/strbuf.h"

static void announce(struct strbuf *text, const char *name, const char *kind, const char *help)
{
        strbuf_addf(text, "# HELP %s ", name);
        for (const char *c = help; *c != '\0'; c++) {
                if (*c == '\\' || *c == '\n')
                        strbuf_addstr(text, *c == '\n' ? "\\n" : "\\\\");
                else
                        strbuf_addch(text, *c);
        }
        strbuf_addf(text, "\n# TYPE %s %s\n", name, kind);
}

static const char *text_or_empty(const struct db_result *res, int row, const char *column)
{
        const char *cell = db_text(res, row, column);
        return cell != NULL ? cell : "";
}

int64_t metric_rows_keep_ms(const struct db_result *res)
{
        return db_rows(res) > 0 ? db_int(res, 0, "keep_ms", 0) : 0;
}

void metric_rows_print(struct strbuf *text, const struct db_result *res)
{
        const char *family = "";
        for (int row = 0; row < db_rows(res); row++) {
                const char *name = text_or_empty(res, row, "name");
                const char *labels = text_or_empty(res, row, "labels");
                const char *value = db_text(res, row, "value");
                if (value == NULL)
                        continue; /* nothing to measure now */
                if (strcmp(family, name) != 0)
                        announce(text, name, text_or_empty(res, row, "kind"),
                                 text_or_empty(res, row, "help"));
                family = name;
                if (labels[0] != '\0')
                        strbuf_addf(text, "%s{%s} %s\n", name, labels, value);
                else
                        strbuf_addf(text, "%s %s\n", name, value);
        }
}
