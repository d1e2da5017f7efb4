/* freeze.c - by cgroup or by signals. */
#include "shim/freeze.h"

#include <signal.h>
#include <string.h>

#include "shim/cgroup.h"
#include "shim/family.h"

#define ROUNDS_MAX 8 /* at once; the next ones come by the clock */

void freeze_open(struct freeze *f, const char *run_dir)
{
        f->cgroup_fd = cgroup_make(run_dir);
}

int freeze_join(const struct freeze *f)
{
        return f->cgroup_fd < 0 ? 0 : cgroup_join(f->cgroup_fd);
}

/* Counts those that were not stopped yet. SIGSTOP takes effect a moment after it was sent. */
static bool stop_one(void *arg, const struct procfs_entry *e)
{
        int *running = arg;
        if (strchr("TtX", e->state) != NULL)
                return true;
        procfs_signal(e, SIGSTOP);
        ++*running;
        return true;
}

static bool go_on_one(void *arg, const struct procfs_entry *e)
{
        (void)arg;
        procfs_signal(e, SIGCONT);
        return true;
}

/* The group first: in one step, which no fork within it gets around. */
static void stop_by_signals(pid_t leader)
{
        (void)kill(-leader, SIGSTOP);
        for (int round = 0; round < ROUNDS_MAX; round++) {
                int running = 0;
                if (family_walk(stop_one, &running) < 0 || running == 0)
                        return;
        }
}

void freeze_stop(struct freeze *f, pid_t leader)
{
        if (f->cgroup_fd >= 0 && cgroup_set_frozen(f->cgroup_fd, true) == 0)
                return;
        stop_by_signals(leader);
        f->by_signals = true;
}

void freeze_go_on(struct freeze *f, pid_t leader)
{
        if (f->cgroup_fd >= 0)
                (void)cgroup_set_frozen(f->cgroup_fd, false); /* fails for one that could not be frozen */
        if (!f->by_signals)
                return;
        (void)family_walk(go_on_one, NULL); /* without /proc the group is still reached below */
        (void)kill(-leader, SIGCONT);
        f->by_signals = false;
}

void freeze_close(struct freeze *f, const char *run_dir)
{
        if (f->cgroup_fd >= 0)
                cgroup_remove(f->cgroup_fd, run_dir);
        f->cgroup_fd = -1;
}
