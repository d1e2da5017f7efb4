/*
 * sweep_orphans.c - the step for orphans that no worker will adopt. Two kinds of them are given back.
 *
 * Unkept: an orphan of this host of which nothing is left, no shim that holds the job's lock and no status
 * that a worker could finish from. Two signals are needed: the owner is gone, which made the orphan;
 * and the lock was free, without a status, in looks at least LOOKS_APART_MS apart. A run that has left a
 * status is adoption's, however old. A shim that was killed has left its agent behind: before the job may run
 * anywhere, orch-shim --clean takes the lock and kills what is left.
 *
 * Stranded: its host has had no worker for takeover_after; it died after the run had become an orphan, or its
 * workers do not come back. No silence of a process tells of those, since their owner has ended already. A
 * worker that came, adopted, renewed and went between two looks begins the count anew: the orphanhood is
 * another. In all that time no beat was confirmed for them, so their shims have frozen their agents
 * (judge.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/proc.h"
#include "common/process_row.h"
#include "common/run_dir.h"
#include "queries.h"
#include "reaperd/sweep_internal.h"

#define LOOKS_APART_MS  5000
#define LONGEST_STEP_MS 3000 /* nothing more is begun after that: the next look must not come too late */
#define UNKEPT_EVIDENCE "its lock is free and there is no status"

static void give_back_next(struct sweep *s);

/* --- to report --- */

static void on_given_back(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        const struct sweep_orphan *o = &s->orphans[s->next_orphan];
        if (!sweep_heard(s, res))
                return;
        if (db_bool(res, 0, "lost")) { /* else it was adopted, or another reaper was faster */
                log_warning(EV("reap.orphan-lost"), LF_I("job", o->job), LF_I("epoch", o->epoch),
                            LF_S("what", o->stranded ? "stranded" : "unkept"),
                            LF_I("unchanged_ms", o->unchanged_ms));
                metrics_count(o->stranded ? METRIC_REAPED_STRANDED : METRIC_REAPED_UNKEPT, 1);
        }
        s->next_orphan++;
        give_back_next(s);
}

static void report_unkept(struct sweep *s, const struct sweep_orphan *o)
{
        char process[24], epoch[24], job[24], job_epoch[24];
        (void)snprintf(process, sizeof(process), "%" PRId64, process_row_id(s->row));
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, process_row_epoch(s->row));
        (void)snprintf(job, sizeof(job), "%" PRId64, o->job);
        (void)snprintf(job_epoch, sizeof(job_epoch), "%" PRId64, o->epoch);
        const char *params[] = {process, epoch, job, job_epoch, UNKEPT_EVIDENCE};
        sweep_ask(s, &Q_ORPHAN_LOST, params, on_given_back);
}

static void report_stranded(struct sweep *s, const struct sweep_orphan *o)
{
        char job[24], epoch[24], since[24], evidence[80];
        (void)snprintf(job, sizeof(job), "%" PRId64, o->job);
        (void)snprintf(epoch, sizeof(epoch), "%" PRId64, o->epoch);
        (void)snprintf(evidence, sizeof(evidence), "its host has had no worker for %" PRId64 " s",
                       o->unchanged_ms / 1000);
        (void)snprintf(since, sizeof(since), "%" PRId64, o->since_us);
        const char *params[] = {job, epoch, evidence, since};
        sweep_ask(s, &Q_ORPHAN_STRANDED, params, on_given_back);
}

/* --- to clean up after a killed shim --- */

static bool is_unkept(const struct run_dir *dir)
{
        return access(dir->status, F_OK) < 0 && errno == ENOENT && run_dir_is_locked(dir) == 0;
}

static void on_cleaned(void *arg, const struct proc_exit *ex)
{
        struct sweep *s = arg;
        const struct sweep_orphan *o = &s->orphans[s->next_orphan];
        struct run_dir dir;
        s->cleaner = NULL;
        run_dir_names(&dir, s->state_dir, o->job, o->epoch);
        bool cleaned = !ex->signaled && ex->code == 0, unkept = is_unkept(&dir);
        run_dir_deinit(&dir);
        if (!cleaned)
                log_warning(EV("reap.not-cleaned"), LF_I("job", o->job), LF_I("epoch", o->epoch),
                            LF_S("error", proc_exit_text(ex)), LF_S("then", "tried again at the next tick"));
        if (cleaned && unkept) {
                report_unkept(s, o);
                return;
        }
        s->next_orphan++;
        give_back_next(s);
}

/* Exit 0 proves that nothing of the agent is left. */
static int clean(struct sweep *s, const struct sweep_orphan *o)
{
        struct errinfo err = ERRINFO_INIT;
        struct run_dir dir;
        run_dir_names(&dir, s->state_dir, o->job, o->epoch);
        const char *const argv[] = {s->shim, "--clean", "--lock", dir.lock, "--lock-wait-ms", "0", NULL};
        const struct proc_spec spec = {.argv = argv, .cwd = "/"};
        int r = proc_spawn(s->loop, &spec, on_cleaned, s, &s->cleaner, &err);
        if (r < 0)
                log_warning(EV("reap.not-cleaned"), LF_I("job", o->job), LF_I("epoch", o->epoch),
                            LF_ERR(&err), LF_S("then", "tried again at the next tick"));
        run_dir_deinit(&dir);
        return r;
}

static void give_back_next(struct sweep *s)
{
        bool late = loop_now_ms(s->loop) - s->stranded.answered_ms > LONGEST_STEP_MS;
        for (; s->next_orphan < s->n_orphans && !late; s->next_orphan++) {
                const struct sweep_orphan *o = &s->orphans[s->next_orphan];
                if (o->stranded)
                        report_stranded(s, o);
                else if (clean(s, o) < 0)
                        continue;
                return;
        }
        sweep_next(s);
}

/* --- to look --- */

/* Only of this host, in this boot, do we know what is left. */
static bool is_unkept_here(const struct sweep *s, const struct db_result *res, int row, int64_t job,
                           int64_t epoch)
{
        struct run_dir dir;
        if (strcmp(db_text(res, row, "host"), s->host) != 0 ||
            strcmp(db_text(res, row, "boot_id"), proc_boot_id()) != 0 || !process_row_live(s->row))
                return false;
        run_dir_names(&dir, s->state_dir, job, epoch);
        bool unkept = is_unkept(&dir);
        run_dir_deinit(&dir);
        return unkept;
}

static void look_at(struct sweep *s, const struct db_result *res, int row)
{
        int64_t job = db_int(res, row, "job_id", 0), epoch = db_int(res, row, "epoch", 0);
        struct sweep_orphan o = {.job = job, .epoch = epoch, .since_us = db_int(res, row, "since_us", 0)};
        int64_t unkept_ms = 0, stranded_ms = 0;
        if (is_unkept_here(s, res, row, job, epoch))
                unkept_ms = silence_hear(&s->unkept, job, epoch);
        if (db_bool(res, row, "stranded"))
                stranded_ms = silence_hear(&s->stranded, job, o.since_us);
        o.stranded = stranded_ms >= s->takeover_after_ms;
        o.unchanged_ms = o.stranded ? stranded_ms : unkept_ms;
        if (o.stranded || unkept_ms >= LOOKS_APART_MS)
                s->orphans[s->n_orphans++] = o;
}

static void on_listed(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        if (!sweep_heard(s, res))
                return;
        s->n_orphans = s->next_orphan = 0;
        sweep_look(s, &s->unkept);
        sweep_look(s, &s->stranded);
        for (int i = 0; i < db_rows(res) && i < SWEEP_LIST_MAX; i++)
                look_at(s, res, i);
        s->amiss |= db_rows(res) > 0;
        give_back_next(s);
}

void sweep_orphans(struct sweep *s)
{
        char limit[16];
        (void)snprintf(limit, sizeof(limit), "%d", SWEEP_LIST_MAX);
        const char *params[] = {limit};
        sweep_ask(s, &Q_ORPHAN_LIST, params, on_listed);
}
