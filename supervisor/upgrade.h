/*
 * upgrade.h - one upgrade at a time: from the signal that asks for it to the word what came of it.
 *
 *  step     waits for                              leaves to                          timer
 *  none     being asked                            trial                              -
 *  trial    the new program's answer (trial.h)     settle; none: refused              the trial's own
 *  settle   signals that had come already          the exec; none: refused, when      two turns of the loop
 *                                                  exec fails or we are to stop
 *  roll     the suite, in the new program          none: done, or rolled back         the suite's own
 *
 * The outcome is told in the log, the metric orch_upgrades_total, the state file (supervisor_state.h) and to
 * the service manager.
 */
#pragma once

#include <stdbool.h>

struct supervisor;
struct upgrade;

/* `number`: of the upgrade that this program was executed by; 0: it was started. Never NULL. */
struct upgrade *upgrade_new(struct supervisor *s, unsigned number);
void upgrade_free(struct upgrade *u);

void upgrade_ask(struct upgrade *u);
/* In the new program, when the suite was taken over: starts the new generation. */
void upgrade_go_on(struct upgrade *u);
/* The suite is through with it: `why` NULL when the new generation serves. */
void upgrade_rolled(struct upgrade *u, const char *why);
/* The supervisor is to stop; the suite sees to the generations. */
void upgrade_abandon(struct upgrade *u);
bool upgrade_is_under_way(const struct upgrade *u);
