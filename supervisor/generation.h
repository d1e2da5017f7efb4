/*
 * generation.h - the processes of all services (services.def) that were started together: by the supervisor's
 * own start, or by an upgrade. Each upgrade makes a new one; old and new live side by side until one of them
 * has left.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct child;
struct child_shared;
struct errinfo;
struct generation;
struct handover;
struct options;
struct strbuf;

/* As many children as the options say, none of them started. Borrows `shared`. Never NULL. */
struct generation *generation_new(const struct child_shared *shared, const struct options *opt,
                                  unsigned number);
/* The children that were handed over, as they were. To be checked before: generation_check(). */
struct generation *generation_take_over(const struct child_shared *shared, const struct handover *h);
void generation_hand_over(const struct generation *g, struct handover *h);
void generation_free(struct generation *g);
unsigned generation_number(const struct generation *g);

typedef void generation_fn(struct child *c);
void generation_each(struct generation *g, generation_fn *fn);
void generation_each_of_wave(struct generation *g, unsigned wave, generation_fn *fn);

/* Every service that is in use has a ready child. */
bool generation_serves(const struct generation *g);
/* The first child that is not ready; NULL: all are. */
const struct child *generation_unready(const struct generation *g);
/* The first child that is neither starting nor ready, so that it has ended, or is about to; NULL: none. */
const struct child *generation_lost(const struct generation *g);
/* Every child up to and including a wave has ended. */
bool generation_stopped(const struct generation *g, unsigned wave);

/* "webhookd 2/2, workerd 1/2 (1 throttled)": ready of all. */
void generation_describe(const struct generation *g, struct strbuf *sb);

/* The last wave of services.def. */
unsigned generation_last_wave(void);
/* Whether a generation could take over these children, and the programs for the next one are there: 0, or
 * -errno with the reason in `err`. */
int generation_check(const struct handover *h, const struct options *opt, const char *bin_dir,
                     struct errinfo *err);
