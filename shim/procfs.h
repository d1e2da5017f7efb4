/* procfs.h - walks the processes of /proc without memory of its own. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct procfs_entry {
        int dir_fd; /* /proc/PID: refers to this very process, never to another that gets its pid */
        pid_t pid;
        pid_t parent;
        pid_t group;
        char state; /* 'Z' is a zombie */
};

/* Called for each process that could be read; false ends the walk. */
typedef bool procfs_fn(void *arg, const struct procfs_entry *e);
/* 0 or -errno. Processes that come or go meanwhile may be missed: callers walk again. */
int procfs_walk(procfs_fn *fn, void *arg);
/* The parent of a process, a zombie included; 0: there is no such process. */
pid_t procfs_parent(pid_t pid);
/* To this very process; one that is gone, or not ours to signal, has none. */
void procfs_signal(const struct procfs_entry *e, int signo);
