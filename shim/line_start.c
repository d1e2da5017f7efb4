/* line_start.c - see line_start.h. */
#include "shim/line_start.h"

#include <string.h>

static bool next_byte(struct line_start *l, char c)
{
        if (c != l->prefix[l->matched]) {
                l->other = true;
                return false;
        }
        l->matched++;
        l->other = l->prefix[l->matched] == '\0';
        return l->other;
}

bool line_start_seen(struct line_start *l, const char *data, size_t len)
{
        bool seen = false;
        for (size_t i = 0; l->prefix != NULL && i < len; i++) {
                if (l->other) { /* on to the next line */
                        const char *nl = memchr(data + i, '\n', len - i);
                        if (nl == NULL)
                                break;
                        i = (size_t)(nl - data);
                }
                if (data[i] == '\n') {
                        l->matched = 0;
                        l->other = false;
                } else {
                        seen |= next_byte(l, data[i]);
                }
        }
        return seen;
}
