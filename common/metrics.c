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

#undef COUNTER
#undef GAUGE

/* Texts that an entry has room for. */
#define METRIC(id, k, n, l, h)                                                                               \
        _Static_assert(sizeof(n) <= METRICS_TEXT_LEN && sizeof(l) <= METRICS_TEXT_LEN &&                     \
                               sizeof(h) <= METRICS_TEXT_LEN,                                                \
                       "a text of metric " #id " is too long");
#include "common/metrics.def"
#undef METRIC

/* Grows when the layout changes and its size does not. */
#define FORMAT     ((UINT64_C(2) << 32) + sizeof(struct metrics_page))
#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define NOT_THERE  METRICS_ENTRIES_MAX

/* Where this process counts; page and values are NULL in programs that have no metrics. A process knows one
 * page, and `entries` says where each of its metrics is on that one. */
static struct {
        struct metrics_page *page;
        struct metrics_values *values;
        unsigned entries[METRIC_COUNT];
} own;

/* The page behind `fd`, or with -1 one of our own. NULL, and errno. */
static struct metrics_page *map_page(int fd)
{
        int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
        void *p = mmap(NULL, sizeof(struct metrics_page), PROT_READ | PROT_WRITE, flags, fd, 0);
        return p != MAP_FAILED ? p : NULL;
}

/* ---- entries ---- */

static bool is_entry_of(const struct metrics_entry *e, const struct metric_row *row)
{
        return e->kind == row->kind && strcmp(e->name, row->name) == 0 && strcmp(e->labels, row->labels) == 0;
}

static unsigned find_entry(struct metrics_page *page, const struct metric_row *row)
{
        unsigned n = atomic_load(&page->n_entries);
        for (unsigned i = 0; i < n; i++)
                if (is_entry_of(&page->entries[i], row))
                        return i;
        return NOT_THERE;
}

/* The supervisor's. A reader sees the entry when it is whole. */
static unsigned add_entry(struct metrics_page *page, const struct metric_row *row)
{
        unsigned n = atomic_load(&page->n_entries);
        if (n == METRICS_ENTRIES_MAX)
                return NOT_THERE;
        struct metrics_entry *e = &page->entries[n];
        e->kind = row->kind;
        (void)snprintf(e->name, sizeof(e->name), "%s", row->name); /* fit: asserted above */
        (void)snprintf(e->labels, sizeof(e->labels), "%s", row->labels);
        (void)snprintf(e->help, sizeof(e->help), "%s", row->help);
        atomic_store(&page->n_entries, n + 1);
        return n;
}

/* Finds all metrics of this build, and adds what is missing when it may. False: some are not there. */
static bool learn_entries(struct metrics_page *page, bool add)
{
        bool all = true;
        for (size_t i = 0; i < METRIC_COUNT; i++) {
                unsigned entry = find_entry(page, &metric_rows[i]);
                if (entry == NOT_THERE && add)
                        entry = add_entry(page, &metric_rows[i]);
                own.entries[i] = entry;
                all = all && entry != NOT_THERE;
        }
        return all;
}

/* ---- the supervisor's side ---- */

/* The size is sealed: nobody can cut the page from under those who have it mapped. */
static bool size_and_seal(int fd)
{
        return ftruncate(fd, sizeof(struct metrics_page)) == 0 && fcntl(fd, F_ADD_SEALS, SIZE_SEALS) == 0;
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
        page->format = FORMAT;
        (void)learn_entries(page, true); /* there is room for one build's */
        *ret_page = page;
        *ret_fd = fd;
        return 0;
}

/* Whether fd holds a page of this layout, whose size nobody can change. */
static bool is_page(int fd)
{
        struct stat st;
        uint64_t format;
        int seals = fcntl(fd, F_GET_SEALS);
        return seals >= 0 && (seals & SIZE_SEALS) == SIZE_SEALS && fstat(fd, &st) == 0 &&
               st.st_size == (off_t)sizeof(struct metrics_page) &&
               pread(fd, &format, sizeof(format), 0) == sizeof(format) && format == FORMAT;
}

int metrics_page_take(int fd, struct metrics_page **ret_page)
{
        if (!is_page(fd))
                return METRICS_APART;
        struct metrics_page *page = map_page(fd);
        if (page == NULL)
                return -errno;
        if (!learn_entries(page, true)) {
                (void)munmap(page, sizeof(*page)); /* cannot fail for a mapping that is there */
                return METRICS_APART;
        }
        *ret_page = page;
        return METRICS_OK;
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
        unsigned n = atomic_load(&page->n_entries);
        for (unsigned i = 0; i < n; i++) {
                unsigned long long value = atomic_exchange(&page->values[slot_number].of[i], 0);
                if (page->entries[i].kind == METRIC_COUNTER)
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
                atomic_fetch_add(&page->kinds[kind].base[own.entries[id]],
                                 n); /* the supervisor's page has all */
}

void metrics_use(struct metrics_page *page, int slot_number)
{
        own.page = page;
        own.values = &page->values[slot_number];
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
        (void)learn_entries(page, true); /* there is room for one build's */
        int slot = metrics_slot_take(page, daemon, getpid());
        if (slot < 0)
                return slot;
        metrics_use(page, slot);
        return METRICS_OK;
}

int metrics_init(const char *daemon)
{
        int fd = env_number(CONTRACT_ENV_METRICS_FD), slot = env_number(CONTRACT_ENV_METRICS_SLOT);
        if (fd == -ENOENT)
                return init_alone(daemon);
        if (fd < 0 || slot < 0 || slot >= METRICS_SLOTS_MAX)
                return -EINVAL;
        if (!is_page(fd)) {
                int r = init_alone(daemon);
                return r < 0 ? r : METRICS_APART;
        }
        struct metrics_page *page = map_page(fd);
        if (page == NULL)
                return -errno;
        (void)close(fd); /* the mapping stays */
        bool all = learn_entries(page, false);
        metrics_use(page, slot);
        return all ? METRICS_OK : METRICS_APART;
}

/* NULL: this process, or its page, does not have the metric. */
static atomic_ullong *find_value(enum metric_id id)
{
        return own.values != NULL && own.entries[id] != NOT_THERE ? &own.values->of[own.entries[id]] : NULL;
}

/* Only this process writes its slot, so reading and writing need not be one step. */
void metrics_count(enum metric_id id, uint64_t n)
{
        atomic_ullong *value = find_value(id);
        if (value == NULL)
                return;
        unsigned long long before = atomic_load_explicit(value, memory_order_relaxed);
        atomic_store_explicit(value, before + n, memory_order_relaxed);
}

void metrics_set(enum metric_id id, int64_t to)
{
        atomic_ullong *value = find_value(id);
        assert(metric_rows[id].kind == METRIC_GAUGE);
        if (value != NULL)
                atomic_store_explicit(value, (unsigned long long)to, memory_order_relaxed);
}

uint64_t metrics_get(enum metric_id id)
{
        atomic_ullong *value = find_value(id);
        return value != NULL ? atomic_load(value) : 0;
}

struct metrics_page *metrics_page_own(void)
{
        return own.page;
}
