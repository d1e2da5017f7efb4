/*
 * prune_command.h - the command line of the cache pruner: it must say where the age filter goes.
 */
#pragma once

#include <stdint.h>

#include "common/argv.h"

/* Splits `command` into words, with {min_age_s}, {min_age_m}, {min_age_h} or {min_age_d} replaced by the age
 * in whole seconds, minutes, hours or days, which is never 0. 0; -EINVAL with the reason in `err`: none of
 * them is in it, the age is zero or less than one of the unit. */
int prune_command(struct argv *words, const char *command, int64_t min_age_ms, struct errinfo *err);
