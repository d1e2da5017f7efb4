/* generation.c - the children of generation.h: making them, and looking at all of them. */
#include "supervisor/generation.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/mem.h"
#include "common/options.h"
#include "common/strbuf.h"
#include "supervisor/child.h"
#include "supervisor/handover.h"

enum service_id {
#define SERVICE(name, program, count, wave, listeners) SERVICE_##name,
#include "supervisor/services.def"
#undef SERVICE
        SERVICES
};

/* What does not depend on the options. */
static const struct {
        struct launch_what what;
        unsigned wave;
} services[SERVICES] = {
#define SERVICE(name_, program_, count_, wave_, listeners_)                                                  \
        [SERVICE_##name_] = {{.daemon = #name_, .program = (program_), .listeners = (listeners_)}, (wave_)},
#include "supervisor/services.def"
#undef SERVICE
};

struct crew {
        size_t n;
        struct child **children;
};

struct generation {
        unsigned number;
        const struct child_shared *shared;
        struct crew crews[SERVICES];
};

/* --- making and ending --- */

static char *child_name_of(enum service_id id, size_t number)
{
        return xasprintf("%s.%zu", services[id].what.daemon, number);
}

static void fill_crew(struct generation *g, enum service_id id, int64_t count)
{
        struct crew *crew = &g->crews[id];

        crew->n = (size_t)count;
        crew->children = xcalloc(crew->n, sizeof(struct child *));
        for (size_t k = 0; k < crew->n; k++) {
                _cleanup_(freep) char *name = child_name_of(id, k + 1);

                crew->children[k] = child_new(g->shared, name, &services[id].what, g->number);
        }
}

static struct generation *make(const struct child_shared *shared, unsigned number)
{
        struct generation *g = xcalloc(1, sizeof(*g));

        g->shared = shared;
        g->number = number;
        return g;
}

struct generation *generation_new(const struct child_shared *shared, const struct options *opt,
                                  unsigned number)
{
        struct generation *g = make(shared, number);

#define SERVICE(name_, program_, count_, wave_, listeners_) fill_crew(g, SERVICE_##name_, (count_));
#include "supervisor/services.def"
#undef SERVICE
        return g;
}

void generation_free(struct generation *g)
{
        if (g == NULL)
                return;
        generation_each(g, child_free);
        for (size_t i = 0; i < SERVICES; i++)
                free(g->crews[i].children);
        free(g);
}

unsigned generation_number(const struct generation *g)
{
        return g->number;
}

/* --- handing over --- */

static enum service_id find_service(const char *name)
{
        size_t i = 0;

        while (i < SERVICES && strcmp(services[i].what.daemon, name) != 0)
                i++;
        return (enum service_id)i;
}

int generation_check(const struct handover *h, const struct options *opt, const char *bin_dir,
                     struct errinfo *err)
{
        const int64_t counts[SERVICES] = {
#define SERVICE(name_, program_, count_, wave_, listeners_) [SERVICE_##name_] = (count_),
#include "supervisor/services.def"
#undef SERVICE
        };

        for (size_t i = 0; i < h->n_children; i++)
                if (find_service(h->children[i].service) == SERVICES) {
                        err_set(err, NULL, "service %s is not known any more: that needs a restart",
                                h->children[i].service);
                        return -EPROTO;
                }
        for (size_t i = 0; i < SERVICES; i++) {
                _cleanup_(freep) char *path = xasprintf("%s/%s", bin_dir, services[i].what.program);

                if (counts[i] > 0 && access(path, X_OK) < 0) {
                        err_set(err, NULL, "%s cannot be run: %s", path, strerror(errno));
                        return -ENOENT;
                }
        }
        return 0;
}

static void take_over_child(struct generation *g, const struct handover_child *h)
{
        enum service_id id = find_service(h->service);
        struct crew *crew = &g->crews[id];
        _cleanup_(freep) char *name = child_name_of(id, (size_t)h->number);

        crew->children = xrealloc(crew->children, (crew->n + 1) * sizeof(struct child *));
        crew->children[crew->n++] = child_take_over(g->shared, name, &services[id].what, g->number, h);
}

struct generation *generation_take_over(const struct child_shared *shared, const struct handover *h)
{
        struct generation *g = make(shared, (unsigned)h->generation);

        for (size_t i = 0; i < h->n_children; i++)
                take_over_child(g, &h->children[i]);
        return g;
}

void generation_hand_over(const struct generation *g, struct handover *h)
{
        for (size_t i = 0; i < SERVICES; i++)
                for (size_t k = 0; k < g->crews[i].n; k++) {
                        struct handover_child *c = handover_add_child(h, services[i].what.daemon);

                        c->number = (int64_t)k + 1;
                        child_hand_over(g->crews[i].children[k], c);
                }
}

/* --- over all children --- */

void generation_each(struct generation *g, generation_fn *fn)
{
        for (size_t i = 0; i < SERVICES; i++)
                for (size_t k = 0; k < g->crews[i].n; k++)
                        fn(g->crews[i].children[k]);
}

void generation_each_of_wave(struct generation *g, unsigned wave, generation_fn *fn)
{
        for (size_t i = 0; i < SERVICES; i++)
                for (size_t k = 0; services[i].wave == wave && k < g->crews[i].n; k++)
                        fn(g->crews[i].children[k]);
}

static size_t count_in(const struct crew *crew, enum child_state state)
{
        size_t n = 0;

        for (size_t k = 0; k < crew->n; k++)
                n += child_state(crew->children[k]) == state;
        return n;
}

bool generation_serves(const struct generation *g)
{
        for (size_t i = 0; i < SERVICES; i++)
                if (g->crews[i].n > 0 && count_in(&g->crews[i], CHILD_READY) == 0)
                        return false;
        return true;
}

typedef bool wanted_fn(const struct child *c);

static const struct child *find(const struct generation *g, wanted_fn *wanted)
{
        for (size_t i = 0; i < SERVICES; i++)
                for (size_t k = 0; k < g->crews[i].n; k++)
                        if (wanted(g->crews[i].children[k]))
                                return g->crews[i].children[k];
        return NULL;
}

static bool is_unready(const struct child *c)
{
        return child_state(c) != CHILD_READY;
}

const struct child *generation_unready(const struct generation *g)
{
        return find(g, is_unready);
}

static bool is_lost(const struct child *c)
{
        return child_state(c) != CHILD_READY && child_state(c) != CHILD_STARTING;
}

const struct child *generation_lost(const struct generation *g)
{
        return find(g, is_lost);
}

bool generation_stopped(const struct generation *g, unsigned wave)
{
        for (size_t i = 0; i < SERVICES; i++)
                if (services[i].wave <= wave && count_in(&g->crews[i], CHILD_STOPPED) < g->crews[i].n)
                        return false;
        return true;
}

unsigned generation_last_wave(void)
{
        unsigned last = 0;

        for (size_t i = 0; i < SERVICES; i++)
                if (services[i].wave > last)
                        last = services[i].wave;
        return last;
}

/* --- the line about all --- */

static void describe_crew(struct strbuf *sb, const char *daemon, const struct crew *crew)
{
        size_t throttled = 0, busy = 0;

        for (size_t k = 0; k < crew->n; k++) {
                throttled += child_throttled(crew->children[k]);
                busy += child_busy(crew->children[k]);
        }
        strbuf_addf(sb, "%s %zu/%zu", daemon, count_in(crew, CHILD_READY), crew->n);
        if (throttled > 0)
                strbuf_addf(sb, " (%zu throttled)", throttled);
        if (busy > 0)
                strbuf_addf(sb, " (%zu in hand)", busy);
}

void generation_describe(const struct generation *g, struct strbuf *sb)
{
        const char *separator = "";

        for (size_t i = 0; i < SERVICES; i++) {
                if (g->crews[i].n == 0)
                        continue;
                strbuf_addstr(sb, separator);
                describe_crew(sb, services[i].what.daemon, &g->crews[i]);
                separator = ", ";
        }
}
