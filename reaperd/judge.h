/*
 * judge.h - is a process dead? Pure but for the probe, which is a seam.
 *
 * Of our own host only proof counts. A bare pid is none: the kernel gives pids out again, so a process is the
 * boot it was started in, its pid, and the time that pid started. What cannot be read is left alone until it
 * can be.
 *
 * Of any host, silence for takeover_after counts as death: nobody can prove more from afar. That is
 * safe because beats are what keeps agents going. A shim freezes its agent when the last beat that was
 * confirmed is freeze_after old, by itself and whatever holds its worker up; options_check() keeps
 * freeze_after well below takeover_after; and what the silent process itself does when it wakes up is fenced
 * (T-5). So when the work is given to another, nothing of the old run moves.
 *
 * So it is with a process of our host's name and another boot, too. It is either of an earlier life of this
 * machine, or of another machine that somebody has given the same name: only that one beats, and must not be
 * condemned (process_start() refuses the second of them as long as the first beats).
 *
 * A worker of our own host that lives but is silent (stopped, or hanging) would lose its runs in that way,
 * although their agents are well. So it is killed as soon as it has been silent for freeze_after: its agents
 * stand still anyway; once it is dead it can do no more harm by waking up in the middle of a step; and its
 * runs become orphans, which another worker of this host adopts and goes on with (J-8). Only what the reaper
 * hears without a break counts for that: after an outage of the database a worker may wait for its next
 * attempt while the reaper is there again. Other daemons hold nothing that anybody waits for, and are left
 * to takeover_after.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct strbuf;

/* As the database knows it. */
struct judge_process {
        const char *host;
        const char *boot_id;
        const char *daemon;
        pid_t pid;
        unsigned long long pid_start; /* clock ticks since boot */
        int64_t beats;
        int64_t silent_ms; /* for how long `beats` has not changed */
};

/* As this host is now. */
struct judge_host {
        const char *name;
        const char *boot_id;
        int64_t freeze_after_ms;
        int64_t takeover_after_ms;
        int64_t heard_ms; /* for how long the reaper itself has had its database without a break */
        int (*start_time)(pid_t pid, unsigned long long *ret_ticks); /* proc_start_time() */
};

enum judgement {
        JUDGED_ALIVE,
        JUDGED_HUNG,     /* a worker of this host, alive and silent: to be killed */
        JUDGED_GONE,     /* the process is proved dead and its host lives, and so may its shims */
        JUDGED_REBOOTED, /* of an earlier boot of this host, and silent: nothing of it lives on */
        JUDGED_SILENT,   /* for too long: what may live of it stands still */
};

/* Unless it is alive, the reason, one line for people, is appended to `evidence`. */
enum judgement judge(const struct judge_process *p, const struct judge_host *host, struct strbuf *evidence);
