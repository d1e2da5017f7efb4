/* judge.c - proofs of death that a host can have about its own processes, and silence for all others. */
#include "reaperd/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/strbuf.h"

static bool is_proved_gone(const struct judge_process *p, const struct judge_host *host,
                           struct strbuf *evidence)
{
        unsigned long long start = 0;
        int r = host->start_time(p->pid, &start);
        if (r == -ENOENT || r == -ESRCH) {
                strbuf_addf(evidence, "pid %ld does not exist", (long)p->pid);
                return true;
        }
        if (r < 0 || start == p->pid_start)
                return false;
        strbuf_addf(evidence, "pid %ld is another process: started at tick %llu, not %llu", (long)p->pid,
                    start, p->pid_start);
        return true;
}

static bool is_silent(const struct judge_process *p, int64_t limit_ms, struct strbuf *evidence)
{
        if (p->silent_ms < limit_ms)
                return false;
        strbuf_addf(evidence, "silent for %" PRId64 " s: beat %" PRId64, p->silent_ms / 1000, p->beats);
        return true;
}

enum judgement judge(const struct judge_process *p, const struct judge_host *host, struct strbuf *evidence)
{
        bool ours = strcmp(p->host, host->name) == 0;
        if (ours && strcmp(p->boot_id, host->boot_id) != 0) {
                if (!is_silent(p, host->takeover_after_ms, evidence))
                        return JUDGED_ALIVE;
                strbuf_addf(evidence, "; the host has booted since: boot %s, now %s", p->boot_id,
                            host->boot_id);
                return JUDGED_REBOOTED;
        }
        if (ours && is_proved_gone(p, host, evidence))
                return JUDGED_GONE;
        if (is_silent(p, host->takeover_after_ms, evidence))
                return JUDGED_SILENT;
        if (ours && strcmp(p->daemon, "workerd") == 0 && host->heard_ms >= host->freeze_after_ms &&
            is_silent(p, host->freeze_after_ms, evidence))
                return JUDGED_HUNG;
        return JUDGED_ALIVE;
}
