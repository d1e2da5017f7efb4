/*
 * process_row.h - this process as the database sees it: a row, and a beat that keeps it alive.
 *
 * The beat is also the poll and the control channel: its answer says what there is to do and which jobs must
 * stop. A hint asks for the next beat at once; hints that come while a beat is under way become one more
 * beat. It names the claims that carry our name: statements are answered in order, so what it names and no
 * answer has told us, no answer will. An answer "not alive" means that another took our row for dead and gave
 * our work away: the owner must stop all of it, write nothing, and leave.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/claim_name.h"

struct loop;
struct db;
struct process_row;

/* Ids of jobs; borrowed for the callback. */
struct process_row_ids {
        const int64_t *ids;
        size_t n;
};
bool process_row_has(const struct process_row_ids *list, int64_t id);

struct process_beat {
        bool jobs_wanted;
        bool events_wanted;
        bool effects_wanted;
        bool orphans_wanted; /* runs on this host whose worker is gone */
        bool watch_wanted;   /* something is due for a watch in production */
        bool looks_wanted;   /* something outside is to be looked at */
        bool cards_wanted;   /* a live card is to be looked at */
        int64_t sent_ms;     /* when the beat that is now confirmed was sent, by the loop's clock */
        const struct claim_names *held_claims;  /* of jobs: those that were ours when it was sent */
        const struct claim_names *held_effects; /* the same of effects */
        struct process_row_ids stop_jobs;       /* jobs of held_claims that are to be stopped */
};

struct process_row_config {
        const char *host;   /* copied */
        const char *daemon; /* copied */
        int64_t beat_interval_ms;
        int64_t takeover_ms; /* our promise: after that long, nothing acts under a claim that was taken back
                              */
        void (*on_registered)(void *arg);
        void (*on_beat)(void *arg, const struct process_beat *beat); /* NULL: nothing to be told */
        void (*on_fenced)(void *arg);
        void *arg;
};

/* Borrows the loop and the connection. Nothing happens before process_row_up(). */
struct process_row *process_row_new(struct loop *loop, struct db *db, const struct process_row_config *cfg);
void process_row_free(struct process_row *row);
/* The database is there (again): registers, or beats. For db_config.on_up. A database whose schema does not
 * fit this program, or in which another machine has our name, is waited for: that is said once. */
void process_row_up(struct process_row *row);
/* Something may have changed: beat soon. */
void process_row_hint(struct process_row *row);
void process_row_drain(struct process_row *row); /* beats say "draining" from now on */
/* The database, when it is away, is looked for as often: within two beats. */
void process_row_set_interval(struct process_row *row, int64_t beat_interval_ms);
bool process_row_live(const struct process_row *row); /* registered, and not fenced or left */
int64_t process_row_id(const struct process_row *row);
int64_t process_row_epoch(const struct process_row *row);
/* Leaves: the row is ended; what it still holds is given back, but for jobs whose shim may live, which wait
 * for an heir. `fn` comes once, also when the database could not be told (then the reaper will see). */
void process_row_leave(struct process_row *row, void (*fn)(void *arg), void *arg);
