/*
 * sweep.h - the reaper's tick: looks for what the dead have left, one kind after the other, and has the
 * database give it back (J-6 decides what becomes of it). It starts no agent.
 *
 * Every host has a reaper, and all of them look. What is of one host only its own reaper judges by more than
 * silence. What several of them find at once, the first statement takes and the others change nothing:
 * so there is no leader to lose. Each step is bounded; what a tick leaves over, the next one finds.
 */
#pragma once

struct loop;
struct db;
struct options;
struct process_row;
struct sweep;

struct sweep_config {
        struct loop *loop;
        struct db *db;
        const struct process_row *row; /* ours */
        const char *host;              /* ours; copied */
        const struct options *opt;     /* read during the call only */
};

/* Borrows what the configuration points to. Idle until sweep_wake(). 0, or -errno. */
int sweep_new(const struct sweep_config *cfg, struct sweep **ret_sweep);
void sweep_free(struct sweep *s);
void sweep_wake(struct sweep *s); /* look now, and from then on at every interval */
void sweep_set_limits(struct sweep *s, const struct options *opt); /* at once */
void sweep_stop(struct sweep *s);                                  /* nothing more is sent */
