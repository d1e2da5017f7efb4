/*
 * sweep_internal.h - what the steps of a tick share. A step is begun by sweep.c and ends, once, with
 * sweep_next(): by itself, or because sweep_heard() said so. Between the two it has one request, or one
 * child, under way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/db.h"
#include "reaperd/judge.h"
#include "reaperd/silence.h"
#include "reaperd/sweep.h"

#define SWEEP_LIST_MAX 500 /* rows of one list */
_Static_assert(SWEEP_LIST_MAX <= SILENCE_SUBJECTS_MAX, "what is listed is remembered");

struct disk_watch;
struct keeper;
struct proc;
struct pruner;

enum sweep_state {
        SWEEP_IDLE,  /* waits for the timer */
        SWEEP_STEPS, /* a step has a request or a child under way; leaves after the last, or at an outage */
        SWEEP_STOPPED,
};

/* A process that is believed alive, as of the newest look. */
struct sweep_process {
        int64_t process;
        int64_t beats, silent_ms;
        char *host, *boot_id, *daemon;
        pid_t pid;
        unsigned long long pid_start;
};

/* An orphan that is to be given back. */
struct sweep_orphan {
        int64_t job, epoch;
        bool stranded;    /* else: unkept (sweep_orphans.c) */
        int64_t since_us; /* tells this orphanhood of the claim from an earlier one */
        int64_t unchanged_ms;
};

struct sweep {
        struct loop *loop;
        struct db *db;
        const struct process_row *row;
        char *host, *state_dir, *shim;
        int64_t interval_ms, freeze_after_ms, takeover_after_ms;
        enum sweep_state state;
        size_t step;  /* the one under way */
        bool looking; /* this tick asks the database; others judge by what is known */
        bool amiss;   /* the next tick looks, however soon it is: somebody is silent, dead or an orphan */
        struct loop_timer *timer;
        struct db_request *request; /* NULL when none is under way */
        struct proc *cleaner;       /* orch-shim --clean; NULL when none is under way */
        int64_t asked_ms;           /* when the request was made */
        int64_t up_ms;              /* since when there is a database, as far as is known */

        struct sweep_process *known[SWEEP_LIST_MAX];
        size_t n_known, next_known; /* known[next_known] is being judged, or reported */
        enum judgement judged;      /* of it */
        char *evidence;             /* against it; NULL while there is none */
        struct silence beats;       /* of the processes of all hosts */

        struct sweep_orphan orphans[SWEEP_LIST_MAX];
        size_t n_orphans, next_orphan;
        struct silence unkept, stranded; /* the epochs, and the orphanhoods, of such orphans */

        /* These have ticks of their own. */
        struct keeper *keeper;
        struct disk_watch *disks;
        struct pruner *pruner;
};

/* The steps. */
void sweep_processes(struct sweep *s); /* sweep_processes.c */
void sweep_orphans(struct sweep *s);   /* sweep_orphans.c */
void sweep_overdue(struct sweep *s);   /* sweep.c */

/* The step has ended. */
void sweep_next(struct sweep *s);
void sweep_ask(struct sweep *s, const struct db_statement *st, const char *const *params, db_result_fn *fn);
/* First in each callback of sweep_ask(). False: there is no answer, and the step has been ended. */
bool sweep_heard(struct sweep *s, const struct db_result *res);
/* Begins a look of `silence` with what was just heard. */
void sweep_look(struct sweep *s, struct silence *silence);

void sweep_forget_processes(struct sweep *s);
