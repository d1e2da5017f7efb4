/* token_time.h - when a token expires: 2027-01-31, the beginning of that day, or 2027-01-31T12:00:00Z. UTC.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Seconds since 1970: 0, or -EINVAL when it is no such time. */
int token_time_parse(const char *text, size_t len, int64_t *ret_s);
