/*
 * metrics.h - counters and gauges on one shared page, from the one table metrics.def.
 *
 * The supervisor makes the page (a memfd) and gives each child a slot; a process writes only its own slot,
 * with plain atomic stores, so nothing locks. When a child has died the supervisor folds its counters into
 * the base, so that a counter never goes back, and clears its gauges. Any process that has the page can print
 * all of it.
 *
 * Processes of several builds may share a page (metrics_page.h): while an upgrade is under way, and after it.
 */
#pragma once

#include <stdint.h>

#include "common/err.h"

struct strbuf;
struct metrics_page;

enum metric_id {
#define METRIC(id, kind, name, labels, help) METRIC_##id,
#include "common/metrics.def"
#undef METRIC
        METRIC_COUNT
};

#define METRICS_SLOTS_MAX 256

/* The supervisor's side. The page outlives the fd's owner as long as somebody has it mapped. */
int metrics_page_create(struct metrics_page **ret_page, int *ret_fd);
/* A page that another build may have made, with everything it counted; metrics that it lacks are added.
 * Borrows the fd. METRICS_OK, METRICS_APART when it cannot be used (nothing was taken), or -errno. */
int metrics_page_take(int fd, struct metrics_page **ret_page);
int metrics_slot_take(struct metrics_page *page, const char *daemon, int64_t pid); /* slot, or -ENOSPC */
void metrics_slot_fold(struct metrics_page *page, int slot); /* the process of this slot is dead */
/* Counts what the supervisor knows of a daemon, in that daemon's name. */
void metrics_count_for(struct metrics_page *page, const char *daemon, enum metric_id id, uint64_t n);
/* Makes a slot this process's own: for the supervisor, which made the page; others call metrics_init(). */
void metrics_use(struct metrics_page *page, int slot);

enum metrics_outcome {
        METRICS_OK = 0,
        METRICS_APART = 1, /* the page is of another build and lacks metrics of ours, or has another layout */
};

/* The child's side: maps what the contract's environment names, or a private page when there is none. An
 * outcome or -errno; apart: metrics that the page lacks are not counted, and with another layout all of them
 * are on a private page. Without this call, or before it, nothing is counted. */
int metrics_init(const char *daemon);
void metrics_count(enum metric_id id, uint64_t n);
void metrics_set(enum metric_id id, int64_t value); /* gauges only */
uint64_t metrics_get(enum metric_id id);            /* own slot: for tests */

/* Prometheus text format 0.0.4 of the whole page: each family once, HELP and TYPE, one line per daemon kind.
 */
void metrics_print(struct strbuf *sb);
