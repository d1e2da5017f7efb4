/* nearest.h - the known name that somebody probably meant. Pure. */
#pragma once

/* Keeps the best of the candidates tried so far. */
struct nearest {
        const char *name; /* borrowed from the candidates; NULL: none was near enough */
        unsigned distance;
};

#define NEAREST_INIT                                                                                         \
        {                                                                                                    \
                .name = NULL, .distance = ~0u                                                                \
        }

/* Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
unsigned nearest_distance(const char *a, const char *b);
/* Takes the candidate when it is nearer than what came before, and near enough for a word of this length: one
 * slip in a short word, three in a long one. A name that begins with the word is as near as one slip. */
void nearest_try(struct nearest *n, const char *word, const char *candidate);
