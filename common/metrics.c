/* metrics.c - the page, its slots, and counting on the own one. Printing is in metrics_print.c. */
#include "common/metrics.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/contract.h"
#include "common/mem.h"
#include "common/metrics_page.h"

#define COUNTER METRIC_COUNTER
#define GAUGE   METRIC_GAUGE
const struct metric_row metric_rows[METRIC_COUNT] = {
#define METRIC(id, k, n, l, h) [METRIC_##id] = {.kind = (k), .name = (n), .labels = (l), .help = (h)},
#include "common/metrics.def"
#undef METRIC
};

/* Where this process counts; NULL in programs that have no metrics. */
static struct {
        struct metrics_page *page;
        struct metrics_slot *slot;
} own;

/* FNV-1a over what gives an index its meaning. */
static uint64_t layout_of_this_build(void)
{
        uint64_t hash = 0xcbf29ce484222325u;
        for (size_t i = 0; i < METRIC_COUNT; i++) {
                const char *const texts[] = {metric_rows[i].name, metric_rows[i].labels};
                for (size_t t = 0; t < ARRAY_SIZE(texts); t++)
                        for (const char *p = texts[t];; p++) {
                                hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
                                if (*p == '\0')
                                        break;
                        }
        }
        return hash ^ sizeof(struct metrics_page);
}

/* The page behind `fd`, or with -1 one of our own. NULL, and errno. */
static struct metrics_page *map_page(int fd)
{
        int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
        void *p = mmap(NULL, sizeof(struct metrics_page), PROT_READ | PROT_WRITE, flags, fd, 0);
        return p != MAP_FAILED ? p : NULL;
}

/* ---- the supervisor's side ---- */

/* The size is sealed: nobody can cut the page from under those who have it mapped. */
static bool size_and_seal(int fd)
{
        return ftruncate(fd, sizeof(struct metrics_page)) == 0 &&
               fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

int metrics_page_create(struct metrics_page **ret_page, int *ret_fd)
{
        int fd = memfd_create("orch-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        struct metrics_page *page = size_and_seal(fd) ? map_page(fd) : NULL;
        if (page == NULL) {
                int r = -errno;
                (void)close(fd);
                return r;
        }
        page->layout = layout_of_this_build();
        *ret_page = page;
        *ret_fd = fd;
        return 0;
}

/* The index of a sort of daemon, new or known; METRICS_KINDS_MAX when there is no room for another. */
static unsigned find_kind(struct metrics_page *page, const char *daemon)
{
        unsigned n = atomic_load(&page->n_kinds);
        for (unsigned i = 0; i < n; i++)
                if (strcmp(page->kinds[i].daemon, daemon) == 0)
                        return i;
        if (n < METRICS_KINDS_MAX) {
                assert(strlen(daemon) < METRICS_KIND_LEN);
                (void)snprintf(page->kinds[n].daemon, METRICS_KIND_LEN, "%s", daemon);
                atomic_store(&page->n_kinds, n + 1);
        }
        return n;
}

int metrics_slot_take(struct metrics_page *page, const char *daemon, int64_t pid)
{
        unsigned kind = find_kind(page, daemon);
        if (kind == METRICS_KINDS_MAX)
                return -ENOSPC;
        for (int i = 0; i < METRICS_SLOTS_MAX; i++) {
                struct metrics_slot *slot = &page->slots[i];
                if (atomic_load(&slot->used) != 0)
                        continue;
                slot->kind = kind;
                slot->pid = pid;
                atomic_store(&slot->used, 1);
                return i;
        }
        return -ENOSPC;
}

void metrics_slot_fold(struct metrics_page *page, int slot_number)
{
        assert(slot_number >= 0 && slot_number < METRICS_SLOTS_MAX);
        struct metrics_slot *slot = &page->slots[slot_number];
        if (atomic_load(&slot->used) == 0)
                return;
        atomic_fetch_add(&page->folds, 1);
        for (size_t i = 0; i < METRIC_COUNT; i++) {
                unsigned long long value = atomic_exchange(&slot->values[i], 0);
                if (metric_rows[i].kind == METRIC_COUNTER)
                        atomic_fetch_add(&page->kinds[slot->kind].base[i], value);
        }
        atomic_store(&slot->used, 0);
        atomic_fetch_add(&page->folds, 1);
}

void metrics_count_for(struct metrics_page *page, const char *daemon, enum metric_id id, uint64_t n)
{
        unsigned kind = find_kind(page, daemon);
        assert(metric_rows[id].kind == METRIC_COUNTER);
        if (kind < METRICS_KINDS_MAX)
                atomic_fetch_add(&page->kinds[kind].base[id], n);
}

void metrics_use(struct metrics_page *page, int slot_number)
{
        own.page = page;
        own.slot = &page->slots[slot_number];
        metrics_set(METRIC_BUILD_INFO, 1);
}

/* ---- the child's side ---- */

static int env_number(const char *name)
{
        const char *text = getenv(name);
        char *end;
        if (text == NULL || *text == '\0')
                return -ENOENT;
        errno = 0;
        long n = strtol(text, &end, 10);
        return errno != 0 || *end != '\0' || n < 0 || n > INT32_MAX ? -EINVAL : (int)n;
}

static int init_alone(const char *daemon)
{
        struct metrics_page *page = map_page(-1);
        if (page == NULL)
                return -errno;
        int slot = metrics_slot_take(page, daemon, getpid());
        if (slot < 0)
                return slot;
        metrics_use(page, slot);
        return 0;
}

/* A page that is larger or smaller, or means other things by its numbers, was made by another build: the
 * programs on disk have changed since the supervisor started. */
static bool of_this_build(int fd)
{
        struct stat st;
        uint64_t layout;
        return fstat(fd, &st) == 0 && st.st_size == sizeof(struct metrics_page) &&
               pread(fd, &layout, sizeof(layout), offsetof(struct metrics_page, layout)) == sizeof(layout) &&
               layout == layout_of_this_build();
}

int metrics_init(const char *daemon)
{
        int fd = env_number(CONTRACT_ENV_METRICS_FD), slot = env_number(CONTRACT_ENV_METRICS_SLOT);
        if (fd == -ENOENT)
                return init_alone(daemon);
        if (fd < 0 || slot < 0 || slot >= METRICS_SLOTS_MAX)
                return -EINVAL;
        if (!of_this_build(fd)) {
                int r = init_alone(daemon);
                return r < 0 ? r : METRICS_APART;
        }
        struct metrics_page *page = map_page(fd);
        if (page == NULL)
                return -errno;
        (void)close(fd); /* the mapping stays */
        metrics_use(page, slot);
        return METRICS_OK;
}

/* Only this process writes its slot, so reading and writing need not be one step. */
void metrics_count(enum metric_id id, uint64_t n)
{
        if (own.slot == NULL)
                return;
        unsigned long long before = atomic_load_explicit(&own.slot->values[id], memory_order_relaxed);
        atomic_store_explicit(&own.slot->values[id], before + n, memory_order_relaxed);
}

void metrics_set(enum metric_id id, int64_t value)
{
        assert(metric_rows[id].kind == METRIC_GAUGE);
        if (own.slot != NULL)
                atomic_store_explicit(&own.slot->values[id], (unsigned long long)value, memory_order_relaxed);
}

uint64_t metrics_get(enum metric_id id)
{
        return own.slot != NULL ? atomic_load(&own.slot->values[id]) : 0;
}

struct metrics_page *metrics_page_own(void)
{
        return own.page;
}
