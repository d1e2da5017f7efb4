/* family.c - who descends from us, told while /proc passes by: parents mostly come before their children. */
#include "shim/family.h"

#include <string.h>
#include <unistd.h>

#define KNOWN_MAX 1024

/* Of one walk: what was found out about the process that has this slot by its pid. */
struct known {
        pid_t pid;
        bool ours;
};

struct walk {
        procfs_fn *fn;
        void *arg;
        struct known *known;
};

/* Goes up from `pid` until the answer is known. Who is gone meanwhile has left its children to us or to init:
 * the next walk sees which. */
static bool is_ours(const struct walk *w, pid_t pid)
{
        pid_t self = getpid();
        while (pid > 1 && pid != self) {
                const struct known *k = &w->known[pid % KNOWN_MAX];
                if (k->pid == pid)
                        return k->ours;
                pid = procfs_parent(pid);
        }
        return pid == self;
}

static bool on_process(void *arg, const struct procfs_entry *e)
{
        struct walk *w = arg;
        bool ours = is_ours(w, e->parent);
        w->known[e->pid % KNOWN_MAX] = (struct known){.pid = e->pid, .ours = ours};
        return !ours || e->state == 'Z' || w->fn(w->arg, e);
}

int family_walk(procfs_fn *fn, void *arg)
{
        static struct known known[KNOWN_MAX];
        struct walk w = {.fn = fn, .arg = arg, .known = known};
        memset(known, 0, sizeof(known));
        return procfs_walk(on_process, &w);
}
