/*
 * silence.h - for how long has something stood still, as far as we have watched? Pure memory: what was last
 * heard of each of a bounded number of subjects (of a process its count of beats, of an orphan its epoch),
 * and since when that is unchanged on our own clock. No clock of another host, nor of the database, counts.
 *
 * Silence is counted only while we listen. What kept us from listening (a database that was away, a machine
 * that stood still) may have kept everybody from speaking: after a gap all counts begin anew, so that a
 * reaper that slept does not condemn all others when it wakes up.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SILENCE_SUBJECTS_MAX 512

struct silence_subject {
        int64_t id;
        int64_t mark;
        int64_t since_ms; /* the mark was seen by then */
};

/* Zero is a memory of nothing. */
struct silence {
        struct silence_subject heard[2][SILENCE_SUBJECTS_MAX]; /* in this look, and in the one before */
        size_t n_heard[2];
        unsigned now; /* which of the two is this look's */
        int64_t asked_ms, answered_ms;
};

/* Begins a look: its answers were true at some time between asking and being answered. What the look before
 * did not hear of is forgotten. `gap_ms`: a longer time since that look was answered is a gap. */
void silence_look(struct silence *s, int64_t asked_ms, int64_t answered_ms, int64_t gap_ms);
/* In this look `id`, named once, stands at `mark`. For how many ms it surely has; 0: it is new, has moved, or
 * there are too many to remember. */
int64_t silence_hear(struct silence *s, int64_t id, int64_t mark);
