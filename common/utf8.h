/*
 * utf8.h - strict UTF-8, in one place: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at the start of `s`. Returns its length in bytes, or 0 when there is no valid one. */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret_code_point);
/* The longest length of at most `max` bytes that does not cut a character of `s` (of `len` bytes) in two. */
size_t utf8_cut(const char *s, size_t len, size_t max);
