/*
 * metrics_page.h - the layout of the shared page, for metrics*.c only.
 *
 * The page says itself what its values mean: a build's metric ids count for that build only, so each process
 * finds the entry of each of its metrics by name. Entries are only ever added, by the supervisor; that is how
 * processes of two builds can count on one page, and how a counter outlives an upgrade.
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

#define METRICS_KINDS_MAX   16
#define METRICS_KIND_LEN    24
#define METRICS_ENTRIES_MAX 256
#define METRICS_TEXT_LEN    96

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

/* One line of metrics.def. */
struct metric_row {
        enum metric_kind kind;
        const char *name, *labels, *help;
};

extern const struct metric_row metric_rows[METRIC_COUNT];

/* The same on the page. */
struct metrics_entry {
        uint32_t kind;
        char name[METRICS_TEXT_LEN], labels[METRICS_TEXT_LEN], help[METRICS_TEXT_LEN];
};

struct metrics_slot {
        atomic_uint used;
        uint32_t kind; /* index into kinds[] */
        int64_t pid;
};

/* On cache lines of its own: processes count without disturbing others. */
struct metrics_values {
        _Alignas(64) atomic_ullong of[METRICS_ENTRIES_MAX];
};

/* One per sort of daemon, for as long as the page lives. */
struct metrics_kind {
        char daemon[METRICS_KIND_LEN];
        atomic_ullong base[METRICS_ENTRIES_MAX];
};

struct metrics_page {
        uint64_t format; /* tells a page whose layout is another */
        atomic_uint folds;
        atomic_uint n_kinds;
        atomic_uint n_entries;
        struct metrics_slot slots[METRICS_SLOTS_MAX];
        struct metrics_entry entries[METRICS_ENTRIES_MAX];
        struct metrics_kind kinds[METRICS_KINDS_MAX];
        struct metrics_values values[METRICS_SLOTS_MAX]; /* of the slot of the same number */
};

/* All processes of kind `kind` together, and those of them that are dead. */
uint64_t metrics_page_sum(struct metrics_page *page, unsigned kind, unsigned entry);
/* The page that this process counts on, or NULL. */
struct metrics_page *metrics_page_own(void);
