/* utf8.c - the decoder. Follows table 3-7 of the Unicode standard: only the second byte has special ranges.
 */
#include "common/utf8.h"

static size_t sequence_len(unsigned char lead)
{
        if (lead < 0x80)
                return 1;
        if (lead >= 0xC2 && lead <= 0xDF)
                return 2;
        if (lead >= 0xE0 && lead <= 0xEF)
                return 3;
        if (lead >= 0xF0 && lead <= 0xF4)
                return 4;
        return 0;
}

static int second_byte_ok(unsigned char lead, unsigned char second)
{
        unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        return second >= low && second <= high;
}

size_t utf8_decode(const char *s, size_t len, uint32_t *ret_code_point)
{
        const unsigned char *u = (const unsigned char *)s;
        size_t n = len > 0 ? sequence_len(u[0]) : 0;
        if (n == 0 || n > len || (n > 1 && !second_byte_ok(u[0], u[1])))
                return 0;
        uint32_t code = n == 1 ? u[0] : u[0] & (0x7Fu >> n);
        for (size_t i = 1; i < n; i++) {
                if ((u[i] & 0xC0) != 0x80)
                        return 0;
                code = code << 6 | (u[i] & 0x3Fu);
        }
        *ret_code_point = code;
        return n;
}

size_t utf8_cut(const char *s, size_t len, size_t max)
{
        if (len <= max)
                return len;
        size_t n = max;
        while (n > 0 && max - n < 3 && ((unsigned char)s[n] & 0xC0) == 0x80)
                n--;
        return n;
}
