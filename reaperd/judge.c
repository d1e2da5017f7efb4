/* judge.c - the proofs of death that one host can have about its own processes. */
#include "reaperd/judge.h"

#include <errno.h>
#include <string.h>

#include "common/strbuf.h"

bool judge_is_gone(const struct judge_process *p, const struct judge_host *host, struct strbuf *evidence)
{
        unsigned long long start = 0;
        if (strcmp(p->boot_id, host->boot_id) != 0) {
                strbuf_addf(evidence, "the host has booted since: boot %s, now %s", p->boot_id,
                            host->boot_id);
                return true;
        }
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
