/* adoption.c - asks for orphans, looks at the folder of each, adopts one after the other. */
#include "workerd/adoption.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/db.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/run_dir.h"
#include "queries.h"

#define DEADLINE_MS 10000
#define ORPHANS_MAX 200 /* as many as orch.orphans() names */

struct orphan {
        int64_t job, epoch;
};

struct adoption {
        struct adoption_config cfg;
        char process[24], epoch[24];
        bool stopped;
        int64_t asked_ms;           /* for the adoption that is under way */
        struct db_request *request; /* NULL when idle */
        struct orphan orphans[ORPHANS_MAX];
        size_t n, next;
};

static void adopt_next(struct adoption *a);

struct adoption *adoption_new(const struct adoption_config *cfg)
{
        struct adoption *a = xcalloc(1, sizeof(*a));
        a->cfg = *cfg;
        return a;
}

void adoption_free(struct adoption *a)
{
        if (a == NULL)
                return;
        db_request_forget(a->request);
        free(a);
}

void adoption_stop(struct adoption *a)
{
        a->stopped = true;
}

static void log_failed(const char *what, const struct db_result *res)
{
        log_warning(EV("adoption.failed"), LF_S("what", what), LF_ERR(&res->err),
                    LF_S("then", "tried again at the next beat"));
}

static void on_answer(void *arg, const struct db_result *res)
{
        struct adoption *a = arg;
        a->request = NULL;
        if (res->outcome != DB_OK) {
                log_failed("adopt", res);
                return;
        }
        if (db_rows(res) == 1) /* none: another worker was faster, or it is no orphan any more */
                a->cfg.on_adopted(a->cfg.arg, res, a->asked_ms);
        adopt_next(a);
}

static void adopt(struct adoption *a, const struct orphan *o)
{
        char job[24], epoch[24];
        (void)snprintf(job, sizeof(job), "%" PRId64, o->job);
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, o->epoch);
        const char *params[] = {a->process, a->epoch, job, epoch};
        a->asked_ms = loop_now_ms(a->cfg.loop);
        a->request = db_query(a->cfg.db, &Q_JOB_ADOPT, params, DEADLINE_MS, on_answer, a);
}

/* Whether anything is left to go on with. What a status says counts only once nobody holds the lock, and is
 * the job's to read. */
static bool has_run(const struct adoption *a, const struct orphan *o)
{
        struct run_dir dir;
        run_dir_names(&dir, a->cfg.state_dir, o->job, o->epoch);
        bool has = run_dir_is_ours(&dir) && (run_dir_is_locked(&dir) != 0 || access(dir.status, F_OK) == 0);
        run_dir_deinit(&dir);
        return has;
}

static void adopt_next(struct adoption *a)
{
        while (!a->stopped && a->next < a->n) {
                const struct orphan *o = &a->orphans[a->next++];
                if (has_run(a, o)) {
                        adopt(a, o);
                        return;
                }
        }
}

static void on_orphans(void *arg, const struct db_result *res)
{
        struct adoption *a = arg;
        a->request = NULL;
        if (res->outcome != DB_OK) {
                log_failed("list orphans", res);
                return;
        }
        a->next = 0;
        a->n = 0;
        for (int row = 0; row < db_rows(res) && a->n < ORPHANS_MAX; row++)
                a->orphans[a->n++] = (struct orphan){.job = db_int(res, row, "job_id", 0),
                                                     .epoch = db_int(res, row, "epoch", 0)};
        adopt_next(a);
}

void adoption_wake(struct adoption *a, int64_t process, int64_t epoch)
{
        if (a->stopped || a->request != NULL)
                return;
        (void)snprintf(a->process, sizeof(a->process), "%" PRId64, process);
        (void)snprintf(a->epoch, sizeof(a->epoch), "%" PRId64, epoch);
        const char *params[] = {a->process, a->epoch};
        a->request = db_query(a->cfg.db, &Q_ORPHANS, params, DEADLINE_MS, on_orphans, a);
}
