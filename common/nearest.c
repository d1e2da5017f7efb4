/* nearest.c - edit distance for "did you mean". */
#include "common/nearest.h"

#include <stdbool.h>
#include <string.h>

/* Names are short; what is longer than this is no slip of the fingers. */
#define WORD_MAX 64

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
        unsigned ab = a < b ? a : b;
        return ab < c ? ab : c;
}

/* Optimal string alignment with three rows: rows[r % 3] is the row of the first r characters of `a`. */
unsigned nearest_distance(const char *a, const char *b)
{
        size_t la = strlen(a), lb = strlen(b);
        if (la > WORD_MAX || lb > WORD_MAX)
                return la == lb && strcmp(a, b) == 0 ? 0 : WORD_MAX;
        unsigned rows[3][WORD_MAX + 1];
        for (size_t j = 0; j <= lb; j++)
                rows[0][j] = (unsigned)j;
        for (size_t i = 1; i <= la; i++) {
                unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
                row[0] = (unsigned)i;
                for (size_t j = 1; j <= lb; j++) {
                        row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
                        bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                        if (swapped && two_above[j - 2] + 1 < row[j])
                                row[j] = two_above[j - 2] + 1;
                }
        }
        return rows[la % 3][lb];
}

void nearest_try(struct nearest *n, const char *word, const char *candidate)
{
        size_t len = strlen(word);
        unsigned limit = len < 6 ? 1 : len < 9 ? 2 : 3;
        bool begins = len >= 2 && strncmp(word, candidate, len) == 0;
        unsigned distance = nearest_distance(word, candidate);
        if (begins && distance > 1)
                distance = 1;
        if (distance <= limit && distance < n->distance) {
                n->name = candidate;
                n->distance = distance;
        }
}
