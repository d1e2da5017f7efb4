/*
 * sweeper.h - a daemon that does one thing: it looks at the database again and again, and moves on what it
 * finds. Such a daemon is a table of five functions; the process around them (options, signals, connection,
 * row, leaving) is the same for all.
 */
#pragma once

#include <stdint.h>

struct db;
struct loop;
struct options;
struct process_row;
struct sweep; /* the daemon's own */

/* Borrowed, for as long as the sweep lives; `opt` during the call only. */
struct sweep_config {
        struct loop *loop;
        struct db *db;
        const struct process_row *row; /* ours */
        const char *host;              /* ours */
        const struct options *opt;
};

struct sweeper {
        const char *name; /* "reaperd" */
        const char *summary;
        int (*make)(const struct sweep_config *cfg, struct sweep **ret_sweep); /* idle; 0 or -errno */
        void (*wake)(struct sweep *s); /* our row lives: look now, and then at every interval */
        void (*reload)(struct sweep *s, const struct options *opt);
        void (*stop)(struct sweep *s); /* nothing more is sent */
        void (*free)(struct sweep *s); /* NULL is fine */
};

/* All that main() does; the exit code. */
int sweeper_main(int argc, char *argv[], const struct sweeper *def);
