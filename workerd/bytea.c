/* bytea.c - hex to bytes. */
#include "workerd/bytea.h"

#include <string.h>

#include "common/strbuf.h"

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -1;
}

void bytea_decode(struct strbuf *sb, const char *text)
{
        if (text == NULL || strncmp(text, "\\x", 2) != 0)
                return;
        text += 2;
        strbuf_reserve(sb, strlen(text) / 2);
        for (; digit(text[0]) >= 0 && digit(text[1]) >= 0; text += 2)
                strbuf_addch(sb, (char)(digit(text[0]) * 16 + digit(text[1])));
}
