/*
 * silence.c - two looks are remembered: what this one hears is compared with what the last one heard.
 *
 * A mark was certainly there when the first answer that named it had come, and certainly still is when the
 * newest question was asked: the time between those two is what counts, never more.
 */
#include "reaperd/silence.h"

void silence_look(struct silence *s, int64_t asked_ms, int64_t answered_ms, int64_t gap_ms)
{
        if (asked_ms - s->answered_ms > gap_ms)
                s->n_heard[s->now] = 0;
        s->now ^= 1;
        s->n_heard[s->now] = 0;
        s->asked_ms = asked_ms;
        s->answered_ms = answered_ms;
}

static const struct silence_subject *heard_before(const struct silence *s, int64_t id)
{
        unsigned before = s->now ^ 1;
        for (size_t i = 0; i < s->n_heard[before]; i++)
                if (s->heard[before][i].id == id)
                        return &s->heard[before][i];
        return NULL;
}

int64_t silence_hear(struct silence *s, int64_t id, int64_t mark)
{
        const struct silence_subject *before = heard_before(s, id);
        int64_t since_ms = before != NULL && before->mark == mark ? before->since_ms : s->answered_ms;
        if (s->n_heard[s->now] == SILENCE_SUBJECTS_MAX)
                return 0;
        s->heard[s->now][s->n_heard[s->now]++] =
                (struct silence_subject){.id = id, .mark = mark, .since_ms = since_ms};
        return s->asked_ms > since_ms ? s->asked_ms - since_ms : 0;
}
