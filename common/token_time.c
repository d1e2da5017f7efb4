/* token_time.c - see token_time.h. */
#include "common/token_time.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

/* The digits at the places of 'd' in the pattern, in order; every other byte must be that of the pattern. */
static bool matches(const char *text, const char *pattern, char digits[static 15])
{
        size_t n = 0;
        for (; *pattern != '\0'; text++, pattern++) {
                if (*pattern != 'd' ? *text != *pattern : *text < '0' || *text > '9')
                        return false;
                if (*pattern == 'd')
                        digits[n++] = *text;
        }
        return true;
}

static int number(const char *digits, size_t n)
{
        int value = 0;
        for (size_t i = 0; i < n; i++)
                value = value * 10 + (digits[i] - '0');
        return value;
}

/* timegm() would make the 3rd of March of a 31st of February. */
static int to_seconds(const char digits[static 15], int64_t *ret_s)
{
        struct tm tm = {
                .tm_year = number(digits, 4) - 1900,
                .tm_mon = number(digits + 4, 2) - 1,
                .tm_mday = number(digits + 6, 2),
                .tm_hour = number(digits + 8, 2),
                .tm_min = number(digits + 10, 2),
                .tm_sec = number(digits + 12, 2),
        };
        struct tm same = tm;
        time_t t = timegm(&same);
        if (same.tm_mon != tm.tm_mon || same.tm_mday != tm.tm_mday || same.tm_hour != tm.tm_hour ||
            same.tm_min != tm.tm_min || same.tm_sec != tm.tm_sec)
                return -EINVAL;
        *ret_s = t;
        return 0;
}

int token_time_parse(const char *text, size_t len, int64_t *ret_s)
{
        static const char day[] = "dddd-dd-dd", moment[] = "dddd-dd-ddTdd:dd:ddZ";
        char digits[15] = "00000000000000";
        bool ok = (len == sizeof(day) - 1 && matches(text, day, digits)) ||
                  (len == sizeof(moment) - 1 && matches(text, moment, digits));
        return ok ? to_seconds(digits, ret_s) : -EINVAL;
}
