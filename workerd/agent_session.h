/*
 * agent_session.h - the session of an agent, from one run of a job to the next on the same host (J-2).
 *
 * HOME is a run's own and goes with it, and with it the transcript, without which nobody can go on with the
 * session. So the folder of a run has `session`, its id, from before the start; and when HOME goes, the
 * transcript becomes `session.jsonl` beside it. The next run of the job finds it there, and gets it into its
 * own HOME, where the agent looks for it by the name of its work tree. HOME is the agent's: nothing in it is
 * followed that is a link.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/run_dir.h"

#define AGENT_SESSION_SIZE 37 /* a UUID and its end */

/* A new one, random. */
void agent_session_new(char ret[static AGENT_SESSION_SIZE]);
/* 0 or -errno. */
int agent_session_note(const struct run_dir *rd, const char *id);
/* Before HOME is removed. Nothing to keep is no error. */
void agent_session_keep(const struct run_dir *rd);
/* Puts the transcript of the session `id`, which the run (job, epoch) had, where the new run's agent looks
 * for it. False: there is none that could be gone on with. */
bool agent_session_carry(const char *state_dir, int64_t job, int64_t epoch, const char *id,
                         const struct run_dir *rd);
