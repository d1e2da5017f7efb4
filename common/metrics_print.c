/* metrics_print.c - the page as Prometheus reads it (text format 0.0.4). */
#include "common/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/metrics_page.h"
#include "common/strbuf.h"

/* A fold lasts microseconds. A supervisor that was killed in the middle of one leaves it under way for ever.
 */
#define FOLD_TRIES 1000

static uint64_t add_up(struct metrics_page *page, unsigned kind, unsigned entry)
{
        uint64_t sum = atomic_load(&page->kinds[kind].base[entry]);
        for (size_t i = 0; i < METRICS_SLOTS_MAX; i++) {
                struct metrics_slot *slot = &page->slots[i];
                if (atomic_load(&slot->used) != 0 && slot->kind == kind)
                        sum += atomic_load(&page->values[i].of[entry]);
        }
        return sum;
}

uint64_t metrics_page_sum(struct metrics_page *page, unsigned kind, unsigned entry)
{
        uint64_t sum = 0;
        for (int i = 0; i < FOLD_TRIES; i++) {
                unsigned before = atomic_load(&page->folds);
                sum = add_up(page, kind, entry);
                if (before % 2 == 0 && atomic_load(&page->folds) == before)
                        break;
        }
        return sum;
}

static void print_head(struct strbuf *sb, const struct metrics_entry *e)
{
        strbuf_addf(sb, "# HELP %s %s\n# TYPE %s %s\n", e->name, e->help, e->name,
                    e->kind == METRIC_COUNTER ? "counter" : "gauge");
}

static void print_value(struct strbuf *sb, const struct metrics_entry *e, const char *daemon, uint64_t value)
{
        strbuf_addf(sb, "%s{daemon=\"%s\"%s%s} ", e->name, daemon, e->labels[0] != '\0' ? "," : "",
                    e->labels);
        if (e->kind == METRIC_GAUGE)
                strbuf_addf(sb, "%" PRId64 "\n", (int64_t)value);
        else
                strbuf_addf(sb, "%" PRIu64 "\n", value);
}

/* One family: entries of one name need not stand together, since builds may have added them one by one. */
static void print_family(struct strbuf *sb, struct metrics_page *page, unsigned first, unsigned n_entries)
{
        unsigned n_kinds = atomic_load(&page->n_kinds);
        print_head(sb, &page->entries[first]);
        for (unsigned i = first; i < n_entries; i++) {
                const struct metrics_entry *e = &page->entries[i];
                if (strcmp(e->name, page->entries[first].name) != 0)
                        continue;
                for (unsigned kind = 0; kind < n_kinds; kind++)
                        print_value(sb, e, page->kinds[kind].daemon, metrics_page_sum(page, kind, i));
        }
}

static bool begins_family(const struct metrics_page *page, unsigned entry)
{
        for (unsigned i = 0; i < entry; i++)
                if (strcmp(page->entries[i].name, page->entries[entry].name) == 0)
                        return false;
        return true;
}

void metrics_print(struct strbuf *sb)
{
        struct metrics_page *page = metrics_page_own();
        if (page == NULL)
                return;
        unsigned n = atomic_load(&page->n_entries);
        for (unsigned i = 0; i < n; i++)
                if (begins_family(page, i))
                        print_family(sb, page, i, n);
}
