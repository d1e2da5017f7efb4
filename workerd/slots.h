/*
 * slots.h - the jobs that this worker has in hand.
 *
 * A job is in hand from its claim, or adoption, until its end is recorded and cleaned up, or until it is let
 * go. Adopted jobs may be more than there are slots: they run already.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workerd/job.h"

struct claim_names;
struct db_result;
struct process_beat;
struct slots;
struct strbuf;

/* `host` is borrowed and ours to write host->beat_ms. `on_change`: their number has changed. */
struct slots *slots_new(struct job_host *host, void (*on_change)(void *arg), void *arg);
void slots_free(struct slots *s);
size_t slots_n(const struct slots *s);
/* From row `row` of job_claim, or (`adopted`) of job_adopt, that was asked for at `asked_ms`; `why`: it is to
 * stop at once, because we leave. */
void slots_take(struct slots *s, const struct db_result *res, int row, bool adopted, int64_t asked_ms,
                enum job_stop why);
/* What a confirmed beat means for each: it is renewed, or to be stopped, or not ours any more. */
void slots_beat(struct slots *s, const struct process_beat *beat);
void slots_stop(struct slots *s, enum job_stop why);
/* All of them are forgotten at once; agents go on under their shims. */
void slots_drop(struct slots *s);
/* Appends those of the named claims that are not in hand here, separated by commas. */
void slots_unknown(const struct slots *s, const struct claim_names *named, struct strbuf *sb);
