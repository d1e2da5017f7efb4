/*
 * reexec.h - how one supervisor program becomes the next: the same process executes another file, which finds
 * what was handed over (handover.h) by a descriptor that the environment names. Signals stay blocked
 * meanwhile, so that none meets a process without its handlers; the kernel keeps them.
 */
#pragma once

#include <stdbool.h>

struct argv;
struct errinfo;
struct handover;

/* The memfd; taken out of the environment by who reads it, so that no child inherits it. */
#define REEXEC_ENV_FD "ORCH_HANDOVER_FD"
/* Set beside it: only say whether it could be taken over (trial.h). */
#define REEXEC_ENV_TRIAL "ORCH_HANDOVER_TRIAL"

/* The program and the arguments that follow, as a command line. */
void reexec_command(struct argv *command, const char *program, char *const *args);

/* Does not return when it succeeds. Else -errno with the reason in `err`, and nothing has changed. Signals
 * that have handlers are blocked by the caller. */
int reexec(const char *program, char *const *args, const struct handover *h, struct errinfo *err);

/* This process was not made so. No descriptor, and no -errno that can occur. */
#define REEXEC_NONE (-4096)
/* The memfd that was handed over, close-on-exec, or REEXEC_NONE; -errno when the variable names no
 * descriptor. `ret_trial` says whether it is only a trial. Clears both variables. */
int reexec_inherited(bool *ret_trial);
