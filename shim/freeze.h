/*
 * freeze.h - stops all of the agent, and lets it go on.
 *
 * By the freezer of a cgroup of its own, where the shim runs in a cgroup v2 that was delegated to it: the
 * agent does not notice, and nothing escapes. Else by SIGSTOP, round after round, to the group and to every
 * descendant; what the agent itself had stopped goes on with the rest then.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct freeze {
        int cgroup_fd;   /* of the agent's own cgroup; -1: signals */
        bool by_signals; /* it was stopped by them */
};
#define FREEZE_INIT                                                                                          \
        {                                                                                                    \
                .cgroup_fd = -1                                                                              \
        }

/* Before the agent is started, which then has to join. Without a cgroup it goes by signals. */
void freeze_open(struct freeze *f, const char *run_dir);
/* In the agent's process, before its command. 0 or -errno. */
int freeze_join(const struct freeze *f);
/* `leader` has not been collected. Once is not always enough: what is seen only later needs another round. */
void freeze_stop(struct freeze *f, pid_t leader);
void freeze_go_on(struct freeze *f, pid_t leader);
/* Nothing of the agent is left. */
void freeze_close(struct freeze *f, const char *run_dir);
