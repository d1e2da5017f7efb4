/*
 * proc_exec.h - fork and exec, the blocking and library-free half of proc.c. Not for others.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct errinfo;

struct proc_exec_fd {
        int from; /* ours; -1: /dev/null */
        int to;
};

struct proc_exec {
        const char *const *argv;
        const char *const *envp;        /* NULL means empty */
        const char *cwd;                /* NULL: ours */
        const struct proc_exec_fd *fds; /* all of them: what is not here is closed */
        size_t n_fds;
        bool new_session;
        bool new_group;
        bool dies_with_us;
        const sigset_t *blocked; /* NULL: none */
};

/* Returns when the child runs its program: 0, or -errno with the reason in `err` and no child left behind.
 * The pid and the pidfd (close-on-exec) become the caller's. */
int proc_exec(const struct proc_exec *x, pid_t *ret_pid, int *ret_pidfd, struct errinfo *err);
