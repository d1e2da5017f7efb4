/*
 * metrics_page.h - the layout of the shared page, for metrics*.c only.
 *
 * Who writes what: a process the values of its own slot; the supervisor everything else. A fold moves
 * counters from a slot to the base of its daemon; `folds` is odd while one is under way, so that a reader can
 * tell that what it added up was not counted twice or not at all.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "common/metrics.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "values are shared between processes");

#define METRICS_KINDS_MAX 16
#define METRICS_KIND_LEN  24

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric_row {
        enum metric_kind kind;
        const char *name, *labels, *help;
};

extern const struct metric_row metric_rows[METRIC_COUNT];

struct metrics_slot {
        _Alignas(64)
                atomic_uint used; /* on cache lines of its own: processes count without disturbing others */
        uint32_t kind;            /* index into kinds[] */
        int64_t pid;
        atomic_ullong values[METRIC_COUNT];
};

/* One per sort of daemon, for as long as the page lives. */
struct metrics_kind {
        char daemon[METRICS_KIND_LEN];
        atomic_ullong base[METRIC_COUNT];
};

struct metrics_page {
        uint64_t layout; /* tells a page of another build */
        atomic_uint folds;
        atomic_uint n_kinds;
        struct metrics_kind kinds[METRICS_KINDS_MAX];
        struct metrics_slot slots[METRICS_SLOTS_MAX];
};

/* All processes of kind `kind` together, and those of them that are dead. */
uint64_t metrics_page_sum(struct metrics_page *page, unsigned kind, enum metric_id id);
/* The page that this process counts on, or NULL. */
struct metrics_page *metrics_page_own(void);
