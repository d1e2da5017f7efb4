/*
 * sweep_processes.c - the step that judges every process that is believed alive: those of this host by what
 * runs here (R-6, tier 1), all of them by the silence that the newest look has proved. The dead are reported
 * one after another; a report that failed is found again by the next tick.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/proc.h"
#include "common/strbuf.h"
#include "queries.h"
#include "reaperd/sweep_internal.h"

static void judge_next(struct sweep *s);

void sweep_forget_processes(struct sweep *s)
{
        for (size_t i = 0; i < s->n_known; i++) {
                free(s->known[i]->host);
                free(s->known[i]->boot_id);
                free(s->known[i]->daemon);
                free(s->known[i]);
        }
        s->n_known = s->next_known = 0;
}

/* --- to report --- */

static void on_reported(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        const struct sweep_process *k = s->known[s->next_known];
        if (!sweep_heard(s, res))
                return;
        int64_t jobs = db_int(res, 0, "jobs", -1);
        s->amiss = true; /* somebody will have been started instead; its jobs may be orphans */
        if (jobs >= 0) { /* else another reaper was faster, or it has beaten since */
                log_warning(EV("reap.process-gone"), LF_I("process", k->process), LF_S("of", k->daemon),
                            LF_S("host", k->host), LF_S("evidence", s->evidence), LF_I("jobs", jobs));
                metrics_count(s->judged == JUDGED_SILENT ? METRIC_REAPED_SILENT : METRIC_REAPED_PROCESSES, 1);
                metrics_count(METRIC_REAPED_JOBS, (uint64_t)jobs);
        }
        s->next_known++;
        judge_next(s);
}

static void report(struct sweep *s, const struct sweep_process *k)
{
        char id[24], beats[24];
        (void)snprintf(id, sizeof(id), "%" PRId64, k->process);
        (void)snprintf(beats, sizeof(beats), "%" PRId64, k->beats);
        const char *params[] = {id, s->evidence, s->judged == JUDGED_GONE ? "false" : "true",
                                s->judged == JUDGED_GONE ? NULL : beats};
        sweep_ask(s, &Q_PROCESS_GONE, params, on_reported);
}

/* --- to judge --- */

/* Its end is seen, and reported, at the next tick. */
static void kill_hung(struct sweep *s, const struct sweep_process *k, const char *evidence)
{
        int r = proc_signal_known(k->pid, k->pid_start, SIGKILL);
        s->amiss = true;
        if (r == -ENOENT)
                return;
        if (r < 0) {
                log_warning(EV("reap.not-killed"), LF_I("process", k->process), LF_I("pid", k->pid),
                            LF_S("evidence", evidence), LF_ERRNO(r));
                return;
        }
        log_warning(EV("reap.killed"), LF_I("process", k->process), LF_S("of", k->daemon),
                    LF_I("pid", k->pid), LF_S("evidence", evidence));
        metrics_count(METRIC_REAPED_HUNG, 1);
}

static enum judgement judge_known(const struct sweep *s, const struct sweep_process *k,
                                  struct strbuf *evidence)
{
        const struct judge_host host = {.name = s->host,
                                        .boot_id = proc_boot_id(),
                                        .freeze_after_ms = s->freeze_after_ms,
                                        .takeover_after_ms = s->takeover_after_ms,
                                        .heard_ms = s->beats.asked_ms - s->up_ms,
                                        .start_time = proc_start_time};
        const struct judge_process p = {.host = k->host,
                                        .boot_id = k->boot_id,
                                        .daemon = k->daemon,
                                        .pid = k->pid,
                                        .pid_start = k->pid_start,
                                        .beats = k->beats,
                                        .silent_ms = k->silent_ms};
        return judge(&p, &host, evidence);
}

static void judge_next(struct sweep *s)
{
        for (; s->next_known < s->n_known; s->next_known++) {
                const struct sweep_process *k = s->known[s->next_known];
                _cleanup_(strbuf_deinit) struct strbuf evidence = STRBUF_INIT;
                s->judged = judge_known(s, k, &evidence);
                if (s->judged == JUDGED_HUNG) {
                        kill_hung(s, k, evidence.buf);
                } else if (s->judged != JUDGED_ALIVE) {
                        free(s->evidence);
                        s->evidence = strbuf_take(&evidence);
                        report(s, k);
                        return;
                }
        }
        sweep_next(s);
}

/* --- to look --- */

static struct sweep_process *read_row(struct sweep *s, const struct db_result *res, int row)
{
        struct sweep_process *k = xcalloc(1, sizeof(*k));
        *k = (struct sweep_process){
                .process = db_int(res, row, "process_id", 0),
                .beats = db_int(res, row, "beat_count", 0),
                .host = xstrdup(db_text(res, row, "host")),
                .boot_id = xstrdup(db_text(res, row, "boot_id")),
                .daemon = xstrdup(db_text(res, row, "daemon")),
                .pid = (pid_t)db_int(res, row, "pid", 0),
                .pid_start = (unsigned long long)db_int(res, row, "pid_start", 0),
        };
        k->silent_ms = silence_hear(&s->beats, k->process, k->beats);
        return k;
}

static void on_listed(void *arg, const struct db_result *res)
{
        struct sweep *s = arg;
        if (!sweep_heard(s, res))
                return;
        sweep_forget_processes(s);
        sweep_look(s, &s->beats);
        for (int i = 0; i < db_rows(res) && s->n_known < SWEEP_LIST_MAX; i++) {
                struct sweep_process *k = read_row(s, res, i);
                s->known[s->n_known++] = k;
                s->amiss |= k->silent_ms >= s->freeze_after_ms / 2;
        }
        judge_next(s);
}

void sweep_processes(struct sweep *s)
{
        char limit[16];
        if (!s->looking) {
                s->next_known = 0;
                judge_next(s);
                return;
        }
        (void)snprintf(limit, sizeof(limit), "%d", SWEEP_LIST_MAX);
        const char *params[] = {limit};
        sweep_ask(s, &Q_PROCESS_BEATS, params, on_listed);
}
