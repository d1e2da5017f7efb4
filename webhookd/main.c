/*
 * main.c - orch-webhookd: takes webhooks in and shows how the suite is. Two listeners inherited from the
 * supervisor, shared with its siblings; no agent is run and nothing is called from here.
 */
#include <malloc.h>
#include <sys/resource.h>

#include "common/daemon.h"
#include "common/mem.h"
#include "webhookd/webhookd.h"

enum { LARGE_BYTES = 128 * 1024 };

/* Bodies come and go by megabytes. Left alone, glibc raises the size from which memory is given back to the
 * system to that of the largest body, and the holes between bodies then stay ours. */
static void give_large_memory_back(void)
{
        (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* a hint: nothing depends on it */
}

/* One connection is one descriptor, and http_max_connections may exceed the customary soft limit of 1024. */
static void use_all_descriptors(void)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit); /* without it, connections are shed earlier */
        }
}

static void daemon_freep(struct daemon **d)
{
        daemon_free(*d);
}

static void webhookd_freep(struct webhookd **w)
{
        webhookd_free(*w);
}

int main(int argc, char *argv[])
{
        static const struct daemon_def def = {
                .name = "webhookd",
                .summary = "Takes webhooks in, and shows how the suite is.",
                .on_drain = webhookd_drain,
                .on_reload = webhookd_reload,
        };
        _cleanup_(daemon_freep) struct daemon *d = NULL;
        _cleanup_(webhookd_freep) struct webhookd *w = NULL;
        give_large_memory_back();
        use_all_descriptors();
        int r = daemon_new(argc, argv, &def, &d);
        if (r == 0)
                r = webhookd_new(d, &w);
        if (r == 0) {
                daemon_set_arg(d, w);
                r = daemon_run(d);
        }
        return daemon_exit_code(d, r);
}
