/* evict.c - one link for each folder; most lead to nobody. */
#include "workerd/evict.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/run_dir.h"
#include "workerd/shim_link.h"

struct evicted {
        int64_t job, epoch;
        struct shim_link *link; /* NULL: it has gone */
};

struct evict {
        struct loop *loop;
        const char *state_dir; /* while they are found */
        int64_t job, epoch;
        struct evicted *others;
        size_t n;
};

static void on_news(void *arg, const struct shim_news *news)
{
        struct evicted *other = arg;
        switch (news->event) {
        case SHIM_LINKED:
                log_warning(EV("shim.evicted"), LF_I("job", other->job), LF_I("epoch", other->epoch),
                            LF_I("agent", news->agent), LF_S("reason", "its claim is over"));
                return;
        case SHIM_STARTED:
        case SHIM_CHANGED:
        case SHIM_LOCKED_OUT:
                return;
        case SHIM_NOBODY:
        case SHIM_GONE:
        case SHIM_GARBAGE:
                shim_link_free(take_ptr(other->link));
                return;
        }
}

static void find(void *arg, int64_t job, int64_t epoch)
{
        struct evict *e = arg;
        struct run_dir dir;
        if (job != e->job || epoch == e->epoch)
                return;
        run_dir_names(&dir, e->state_dir, job, epoch);
        bool ours = run_dir_is_ours(&dir);
        run_dir_deinit(&dir);
        if (!ours)
                return;
        e->others = xrealloc(e->others, (e->n + 1) * sizeof(*e->others));
        e->others[e->n++] = (struct evicted){.job = job, .epoch = epoch};
}

struct evict *evict_others(struct loop *loop, const char *state_dir, int64_t job, int64_t epoch)
{
        struct evict *e = xcalloc(1, sizeof(*e));
        *e = (struct evict){.loop = loop, .state_dir = state_dir, .job = job, .epoch = epoch};
        run_dir_each(state_dir, find, e);
        for (size_t i = 0; i < e->n; i++) {
                struct run_dir dir;
                run_dir_names(&dir, state_dir, job, e->others[i].epoch);
                e->others[i].link = shim_link_connect(loop, dir.path, on_news, &e->others[i]);
                shim_link_kill(e->others[i].link);
                run_dir_deinit(&dir);
        }
        return e;
}

void evict_free(struct evict *e)
{
        if (e == NULL)
                return;
        for (size_t i = 0; i < e->n; i++)
                shim_link_free(e->others[i].link);
        free(e->others);
        free(e);
}
