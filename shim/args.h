/* args.h - the command line of orch-shim. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/cascade.h"

struct args {
        const char *run_dir;    /* where log and status go */
        const char *lock;       /* held for as long as anything of the agent may live */
        const char *stdin_path; /* the agent's standard input */
        const char *cwd;        /* the agent's working directory */
        const char *control;    /* name of the control socket in run_dir; NULL: none */
        int64_t lock_wait_ms;   /* how long to wait for the lock */
        int64_t renewed_ms;     /* CLOCK_BOOTTIME at which the run was last renewed; 0: nobody renews it */
        struct cascade_limits limits;
        int64_t log_max;       /* bytes */
        int64_t max_processes; /* of the agent's user; 0: no bound of ours */
        int64_t max_cpu_s, max_memory, max_file, max_open_files; /* of each of its processes; 0: none */
        const char *result_prefix; /* how the line begins that is the agent's result; NULL: none is */
        bool nice;                 /* run the agent at a lower priority */
        bool spare_rest;           /* what the command leaves when it ends by itself may live on */
        bool clean;                /* start nothing: only kill what a predecessor left behind */
        char *const *command;      /* NULL-terminated; borrowed from argv */
};

/* 0, or -EINVAL after a message on standard error. */
int args_parse(int argc, char *const *argv, struct args *ret);
