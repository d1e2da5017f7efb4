/*
 * judge.h - is a process dead? Pure but for the probe, which is a seam.
 *
 * Only proof counts. A bare pid is none: the kernel gives pids out again, so a process is the boot it was
 * started in, its pid, and the time that pid started. What cannot be read is left alone until it can be.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct strbuf;

/* As the database knows it. */
struct judge_process {
        const char *boot_id;
        pid_t pid;
        unsigned long long pid_start; /* clock ticks since boot */
};

/* As this host is now. */
struct judge_host {
        const char *boot_id;
        int (*start_time)(pid_t pid, unsigned long long *ret_ticks); /* proc_start_time() */
};

/* True when it is proved dead; the proof, one line for people, is appended to `evidence`. */
bool judge_is_gone(const struct judge_process *p, const struct judge_host *host, struct strbuf *evidence);
