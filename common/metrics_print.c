/* metrics_print.c - the page as Prometheus reads it (text format 0.0.4). */
#include "common/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "common/metrics_page.h"
#include "common/strbuf.h"

/* A fold lasts microseconds. A supervisor that was killed in the middle of one leaves it under way for ever.
 */
#define FOLD_TRIES 1000

static uint64_t add_up(struct metrics_page *page, unsigned kind, enum metric_id id)
{
        uint64_t sum = atomic_load(&page->kinds[kind].base[id]);
        for (size_t i = 0; i < METRICS_SLOTS_MAX; i++) {
                struct metrics_slot *slot = &page->slots[i];
                if (atomic_load(&slot->used) != 0 && slot->kind == kind)
                        sum += atomic_load(&slot->values[id]);
        }
        return sum;
}

uint64_t metrics_page_sum(struct metrics_page *page, unsigned kind, enum metric_id id)
{
        uint64_t sum = 0;
        for (int i = 0; i < FOLD_TRIES; i++) {
                unsigned before = atomic_load(&page->folds);
                sum = add_up(page, kind, id);
                if (before % 2 == 0 && atomic_load(&page->folds) == before)
                        break;
        }
        return sum;
}

static void print_head(struct strbuf *sb, const struct metric_row *row)
{
        strbuf_addf(sb, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                    row->kind == METRIC_COUNTER ? "counter" : "gauge");
}

static void print_value(struct strbuf *sb, const struct metric_row *row, const char *daemon, uint64_t value)
{
        strbuf_addf(sb, "%s{daemon=\"%s\"%s%s} ", row->name, daemon, row->labels[0] != '\0' ? "," : "",
                    row->labels);
        if (row->kind == METRIC_GAUGE)
                strbuf_addf(sb, "%" PRId64 "\n", (int64_t)value);
        else
                strbuf_addf(sb, "%" PRIu64 "\n", value);
}

void metrics_print(struct strbuf *sb)
{
        struct metrics_page *page = metrics_page_own();
        const char *family = "";
        if (page == NULL)
                return;
        unsigned n_kinds = atomic_load(&page->n_kinds);
        for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
                const struct metric_row *row = &metric_rows[id];
                if (strcmp(row->name, family) != 0)
                        print_head(sb, row);
                family = row->name;
                for (unsigned kind = 0; kind < n_kinds; kind++)
                        print_value(sb, row, page->kinds[kind].daemon, metrics_page_sum(page, kind, id));
        }
}
