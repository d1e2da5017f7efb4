/*
 * trial.h - before a supervisor becomes another program, that program is asked whether it could take over: it
 * is run as a child, with the same arguments, environment and handover, and must read its configuration and
 * the handover, find the daemons' programs, and say that it would (TRIAL_ANSWER). What does not say so, for
 * whatever reason, is not executed: a supervisor that has become something else cannot come back.
 */
#pragma once

struct errinfo;
struct handover;
struct loop;
struct options;
struct trial;

#define TRIAL_TIMEOUT_MS 10000

/* Comes once, from the loop: why NULL when it would take over, else why not. */
typedef void trial_fn(void *arg, const char *why);

/* Borrows everything, the program for the life of the trial. 0, or -errno with the reason in `err`. */
int trial_new(struct loop *loop, const char *program, char *const *args, const struct handover *h,
              trial_fn *fn, void *arg, struct trial **ret, struct errinfo *err);
/* Also from inside the callback. A program that is still being asked is killed. */
void trial_free(struct trial *t);

/* The other side: the program that is asked. Prints the answer; 0, or -errno with the reason in `err`. */
int trial_answer(const struct options *opt, const struct handover *h, struct errinfo *err);
