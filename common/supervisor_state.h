/*
 * supervisor_state.h - the file state_dir/supervisor.state: what the supervisor says of itself to orchctl,
 * for whom signals are the only way to ask for something and no way to hear an answer.
 *
 * Lines of name=value, all of them, in the order of the struct. It is replaced by a rename, so a reader never
 * sees half of it. It counts only while the process that holds the lock of supervisor.pid has the pid in it.
 */
#pragma once

#include <stdint.h>

#include "common/err.h"

enum upgrade_outcome {
        UPGRADE_NONE,        /* there was no upgrade since the supervisor was started */
        UPGRADE_RUNNING,     /* it is under way */
        UPGRADE_DONE,        /* the new generation serves, the old one has left */
        UPGRADE_REFUSED,     /* nothing was changed */
        UPGRADE_ROLLED_BACK, /* the new generation was ended, the old one serves */
        UPGRADE_OUTCOMES
};

struct supervisor_state {
        int64_t pid;
        int64_t generation; /* of the processes in service; 1 at the start of the supervisor */
        int64_t upgrades;   /* number of the last upgrade that was asked for; 0: none */
        enum upgrade_outcome outcome;
        char reason[sizeof((struct errinfo){0}.text)]; /* refused and rolled-back: why; else "" */
};

const char *upgrade_outcome_text(enum upgrade_outcome outcome); /* "rolled-back" */

/* 0, or -errno with the reason in `err`. Reading: -ENOENT when there is none, -EPROTO when it is not one. */
int supervisor_state_write(const char *state_dir, const struct supervisor_state *state, struct errinfo *err);
int supervisor_state_read(const char *state_dir, struct supervisor_state *ret, struct errinfo *err);
