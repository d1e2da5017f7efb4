/*
 * adapter.h - how agents of a kind are started (J-2). To add a kind: a line in adapters.def, its words and
 * its environment here, its events in a parser like claude.h, its judgement in agent_judge.h.
 */
#pragma once

#include <stdbool.h>

#include "common/argv.h"
#include "common/run_dir.h"

struct errinfo;
struct options;

enum adapter {
#define ADAPTER(id, name, result_prefix) ADAPTER_##id,
#include "workerd/adapters.def"
#undef ADAPTER
};

/* The session that a run is to have, and the one that it goes on from; NULL: none. */
struct adapter_session {
        const char *id, *resumes;
};

/* The command of a role: its own, or that of every agent. */
const char *adapter_command(const struct options *opt, const char *role);
/* Of a role, as configured, or by the program of its command. 0, or -EINVAL with the reason: no such adapter,
 * or a command that it cannot work with. */
int adapter_find(const struct options *opt, const char *role, enum adapter *ret, struct errinfo *err);
const char *adapter_name(enum adapter a);
/* NULL: its agents say none, and have no events. */
const char *adapter_result_prefix(enum adapter a);
/* Adds all words: of the wrapper, of the command, and of the adapter. 0, or -EINVAL with the reason. */
int adapter_words(enum adapter a, const struct options *opt, const char *role, const struct run_dir *rd,
                  const struct adapter_session *session, struct argv *words, struct errinfo *err);
/* Adds what its agents need in their environment, but for names that are there already. */
void adapter_env(enum adapter a, struct argv *env);
