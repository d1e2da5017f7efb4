/*
 * proc.h - child processes on the loop.
 *
 * The child gets exactly the environment, descriptors and signal mask given, and default signal handlers;
 * every other descriptor is closed. Children are addressed by pidfd, so a reused pid is never signalled. The
 * spec is borrowed during the call only.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct loop;
struct proc;
struct errinfo;
struct strbuf;

struct proc_fd {
        int from; /* ours; stays open and ours */
        int to;   /* number in the child */
};

struct proc_spec {
        const char *const *argv;   /* argv[0] is a path, or a name looked up in the PATH of envp */
        const char *const *envp;   /* the whole environment; NULL means empty */
        const char *cwd;           /* NULL: ours */
        const struct proc_fd *fds; /* beyond 0-2, or to replace them */
        size_t n_fds;      /* 0, 1 and 2 that are not named become /dev/null, /dev/null and our stderr */
        bool new_session;  /* setsid() */
        bool new_group;    /* setpgid(0, 0) */
        bool dies_with_us; /* SIGKILL when we end, however we do: for what must not outlive its question */
        const sigset_t *blocked; /* its signal mask; NULL: empty */
        const void *input;       /* fed to standard input, then closed; NULL: none. Copied. */
        size_t input_len;
        size_t capture_max; /* > 0: standard output, and standard error after it, are kept up to this many
                               bytes each; what is beyond is drained and dropped */
};

struct proc_exit {
        bool signaled;
        int code;                 /* exit code, when not signaled */
        int signo;                /* signal, when signaled */
        const struct strbuf *out; /* captured; NULL unless capture_max; valid during the callback */
        const struct strbuf *err;
        bool truncated;
};

typedef void proc_exit_fn(void *arg, const struct proc_exit *ex);

/* Output that somebody else still holds open is not waited for any longer than this after the child's end. */
#define PROC_OUTPUT_GRACE_MS 2000

/* 0, or -errno with the reason in `err` (also when exec itself fails in the child). The callback comes once,
 * when the child has ended and its captured output is complete. The proc is freed by itself after the
 * callback; until then proc_kill() reaches what is left of its group. */
int proc_spawn(struct loop *loop, const struct proc_spec *spec, proc_exit_fn *fn, void *arg,
               struct proc **ret_proc, struct errinfo *err);
/* A child from before this process executed itself anew: from now on like a spawned one. Takes the pidfd; the
 * caller has made sure that it is a child of ours. Never NULL. */
struct proc *proc_adopt(struct loop *loop, pid_t pid, int pidfd, proc_exit_fn *fn, void *arg);
pid_t proc_pid(const struct proc *p);
int proc_pidfd(const struct proc *p); /* borrowed */
/* Signals the child (or, with `group`, its process group). 0, or -errno; a child already gone is 0. */
int proc_kill(struct proc *p, int signo, bool group);
/* Forgets the child: the callback will not come; the child runs on and is reaped when it ends. */
void proc_forget(struct proc *p);
/* "exited with 3", "killed by SIGKILL": for logs and rows. Valid until the next call. */
const char *proc_exit_text(const struct proc_exit *ex);
/* Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat): with the boot id it tells a
 * process from another that got its pid. 0 or -errno (-ENOENT: no such process, or one that has ended and was
 * not waited for: where nobody collects orphans, as in many containers, that lasts for ever; -EACCES: there
 * is one, and /proc hides it). */
int proc_start_time(pid_t pid, unsigned long long *ret_ticks);
/* Signals the process that has this pid and started at this time, and no other. 0 or -errno (-ENOENT: it is
 * gone). */
int proc_signal_known(pid_t pid, unsigned long long start_ticks, int signo);
/* SIGKILL to the children of a process, and to the groups that they lead. Only for a parent that is stopped:
 * one that runs may wait for them, and their numbers be given out again, meanwhile. 0 or -errno. */
int proc_kill_children(pid_t parent);
/* The folder of the suite's programs: `configured`, or, when that is empty, where the running program is; and
 * the path of one of them. The caller frees it. NULL, with errno set, when our own place is not known. */
char *proc_bin_dir(const char *configured);
char *proc_program_path(const char *bin_dir, const char *name);
/* Whether a program could be run: a name is looked for in the folders of `path` (such as PATH), the relative
 * ones left out; a path is looked at, unless it is relative. 0, or -errno with the reason. Does not block but
 * for the file system. */
int proc_find_program(const char *name, const char *path, struct errinfo *err);
/* The boot id of this machine, 36 characters, cached. */
const char *proc_boot_id(void);
